-- The billing service's tables. Run once, as the service's own role, in its own database.
--
-- Money is a whole number of a currency's smallest unit, never a fraction. The limits on amounts
-- and balances are those of src/limits.rs; a test holds the two together.

-- One account for every patient there ever was. Of the patient only the id is kept.
CREATE TABLE accounts (
    id         uuid        PRIMARY KEY DEFAULT gen_random_uuid()
        -- Lists begin after this id: nobody may have it.
        CHECK (id <> '00000000-0000-0000-0000-000000000000'),
    patient_id uuid        NOT NULL CONSTRAINT accounts_patient_key UNIQUE,
    status     text        NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED', 'CLOSED')),
    currency   text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- What the patient owes: always the balance_after of the newest entry. It is kept rather than
    -- computed because every booking needs it under the account's lock anyway (for the limit), and
    -- because a list of accounts must not cost a walk through all of their entries. It cannot go
    -- its own way: see ledger_is_consistent below.
    balance    bigint      NOT NULL DEFAULT 0
        CHECK (balance BETWEEN -1000000000000 AND 1000000000000),
    version    bigint      NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- For the foreign key of entries: whatever is booked is in the account's currency.
    UNIQUE (id, currency)
);

-- What happened to an account, in order. The id is the client's: the key by which a repeated
-- request is known.
CREATE TABLE entries (
    id              uuid        PRIMARY KEY,
    account_id      uuid        NOT NULL,
    -- The account's version after this entry. Entries of one account are made one after the other,
    -- under its lock, so that this order is the order in which they were committed.
    account_version bigint      NOT NULL CHECK (account_version > 1),
    kind            text        NOT NULL CHECK (kind IN ('CHARGE', 'PAYMENT', 'REVERSAL')),
    -- What it adds to the balance.
    amount          bigint      NOT NULL
        CHECK (amount <> 0 AND amount BETWEEN -100000000000 AND 100000000000),
    currency        text        NOT NULL,
    balance_after   bigint      NOT NULL
        CHECK (balance_after BETWEEN -1000000000000 AND 1000000000000),
    description     text        NOT NULL CHECK (char_length(description) BETWEEN 1 AND 200),
    -- The entry that this one undoes: of the same account, and by no other.
    reverses        uuid        CONSTRAINT entries_reverses_key UNIQUE,
    posted_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (account_id, account_version),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, currency) REFERENCES accounts (id, currency),
    FOREIGN KEY (account_id, reverses) REFERENCES entries (account_id, id),
    CHECK ((kind = 'REVERSAL') = (reverses IS NOT NULL)),
    CHECK (CASE kind WHEN 'CHARGE' THEN amount > 0 WHEN 'PAYMENT' THEN amount < 0 ELSE true END)
);

-- Both sides of each entry. RECEIVABLE is what patients owe, REVENUE what was earned (negative: it
-- stands on the other side), CASH what came in.
CREATE TABLE postings (
    entry_id uuid   NOT NULL REFERENCES entries,
    ledger   text   NOT NULL CHECK (ledger IN ('RECEIVABLE', 'REVENUE', 'CASH')),
    amount   bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry_id, ledger)
);

-- Nothing that was booked changes, whoever asks.
CREATE FUNCTION only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the table % only grows', TG_TABLE_NAME;
END
$$;

CREATE TRIGGER entries_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION only_grows();
CREATE TRIGGER postings_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION only_grows();
CREATE TRIGGER accounts_stay BEFORE DELETE OR TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION only_grows();

-- An account keeps its identity and its currency, goes through its versions one by one, and stays
-- closed once it is.
CREATE FUNCTION accounts_change_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.patient_id, NEW.currency, NEW.created_at)
            IS DISTINCT FROM (OLD.id, OLD.patient_id, OLD.currency, OLD.created_at)
        OR NEW.version <> OLD.version + 1
        OR (OLD.status = 'CLOSED' AND NEW.status <> 'CLOSED')
    THEN
        RAISE EXCEPTION 'accounts do not change like that';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER accounts_change_in_order BEFORE UPDATE ON accounts
    FOR EACH ROW EXECUTE FUNCTION accounts_change_in_order();

-- Double entry, checked when a transaction commits: an entry has two sides that cancel out, one of
-- them its own amount on RECEIVABLE; a reversal is what it reverses with the other sign; and the
-- balances of neighbouring entries follow from each other, as the account's does from its newest
-- entry. So the sum over all postings is zero in whatever a transaction can see, and a balance is
-- the sum of its entries by induction, at the cost of a few look-ups for each booking.
CREATE FUNCTION entry_is_consistent(entry entries) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT (SELECT count(*) = 2 AND sum(p.amount) = 0
                AND sum(p.amount) FILTER (WHERE p.ledger = 'RECEIVABLE') = entry.amount
            FROM postings p WHERE p.entry_id = entry.id)
        AND (entry.reverses IS NULL OR EXISTS (
            SELECT FROM entries e
            WHERE e.id = entry.reverses AND e.kind <> 'REVERSAL' AND e.amount = -entry.amount))
        AND entry.balance_after - entry.amount = coalesce((
            SELECT e.balance_after FROM entries e
            WHERE e.account_id = entry.account_id AND e.account_version < entry.account_version
            ORDER BY e.account_version DESC LIMIT 1), 0)
        AND coalesce((
            SELECT e.balance_after - e.amount = entry.balance_after FROM entries e
            WHERE e.account_id = entry.account_id AND e.account_version > entry.account_version
            ORDER BY e.account_version LIMIT 1), true)
$$;

CREATE FUNCTION account_is_consistent(account uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT a.balance = coalesce((
        SELECT e.balance_after FROM entries e WHERE e.account_id = a.id
        ORDER BY e.account_version DESC LIMIT 1), 0)
    FROM accounts a WHERE a.id = account
$$;

CREATE FUNCTION ledger_is_consistent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    consistent boolean;
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'accounts' THEN
            consistent := account_is_consistent(NEW.id);
        WHEN 'entries' THEN
            consistent := entry_is_consistent(NEW) AND account_is_consistent(NEW.account_id);
        WHEN 'postings' THEN
            SELECT entry_is_consistent(e) INTO consistent FROM entries e WHERE e.id = NEW.entry_id;
    END CASE;
    IF consistent IS NOT TRUE THEN
        RAISE EXCEPTION 'the ledger would not be consistent' USING ERRCODE = '23514';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER accounts_are_consistent AFTER INSERT OR UPDATE ON accounts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_is_consistent();
CREATE CONSTRAINT TRIGGER entries_are_consistent AFTER INSERT ON entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_is_consistent();
CREATE CONSTRAINT TRIGGER postings_are_consistent AFTER INSERT ON postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_is_consistent();

-- Events that are accepted and not yet sent. A row is written in the transaction of the change it
-- tells of; a relay sends rows in order and marks them.
CREATE TABLE outbox (
    id                uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    seq               bigint      GENERATED ALWAYS AS IDENTITY,
    aggregate_id      uuid        NOT NULL,
    aggregate_version bigint      NOT NULL,
    type              text        NOT NULL
        CHECK (type IN ('ACCOUNT_OPENED', 'ACCOUNT_CLOSED', 'CHARGE_POSTED', 'PAYMENT_RECORDED',
                        'ENTRY_VOIDED')),
    payload           jsonb       NOT NULL,
    occurred_at       timestamptz NOT NULL DEFAULT now(),
    published_at      timestamptz,
    UNIQUE (aggregate_id, aggregate_version)
);

CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;

-- Wakes the relay at commit. One notification per statement and without a payload: what is to be
-- sent is in the table.
CREATE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER outbox_notify AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify();

-- Who did what to which account, when, and with what outcome. It holds ids, words and counts: no
-- amounts, no descriptions.
CREATE TABLE audit_log (
    seq        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Null for the system itself.
    actor      uuid,
    role       text,
    token_id   text,
    action     text        NOT NULL
        CHECK (action IN ('OPEN', 'CLOSE', 'READ', 'LIST', 'STATEMENT', 'CHARGE', 'PAYMENT',
                          'VOID')),
    account_id uuid,
    patient_id uuid,
    entry_id   uuid,
    -- How many accounts a LIST, or entries a STATEMENT, showed.
    row_count  integer,
    outcome    text        NOT NULL
        CHECK (outcome IN ('SUCCESS', 'REPEATED', 'NOT_FOUND', 'CONFLICT', 'STALE', 'REFUSED',
                           'DENIED')),
    request_id text
);

CREATE INDEX audit_log_by_account ON audit_log (account_id, seq) WHERE account_id IS NOT NULL;
CREATE INDEX audit_log_by_patient ON audit_log (patient_id, seq) WHERE patient_id IS NOT NULL;

CREATE TRIGGER audit_log_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION only_grows();
