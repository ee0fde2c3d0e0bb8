-- The patients service's tables. Run once, as the service's own role, in its own database.
--
-- Instants are timestamptz here and cast where they are read: a component gets them as
-- (… AT TIME ZONE 'UTC'), because not every host can hand out timestamptz.

CREATE TABLE patients (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    name            text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    -- The name in lower case, folded by the component with Unicode's rules. Sorting and prefix
    -- search use it in byte order ("C"): that depends on no locale of the server's, so an upgrade
    -- of its libraries cannot corrupt the index, and a prefix is a range of the index.
    name_key        text        COLLATE "C" NOT NULL,
    email           text        NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    address         text        NOT NULL CHECK (char_length(address) BETWEEN 1 AND 255),
    date_of_birth   date        NOT NULL,
    registered_date date        NOT NULL,
    version         bigint      NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    -- A deleted patient stays, unseen: the audit log and the outbox refer to it.
    deleted_at      timestamptz
);

-- One living patient per e-mail address, however it is written. Addresses are ASCII, so that
-- lower() in "C" folds all there is to fold. The address of a deleted patient is free again.
CREATE UNIQUE INDEX patients_email_key
    ON patients (lower(email COLLATE "C")) WHERE deleted_at IS NULL;

-- One index for each order in which patients are listed; id makes the order total, which is what
-- lets a page begin after the last row of the one before.
CREATE INDEX patients_by_name ON patients (name_key, id) WHERE deleted_at IS NULL;
CREATE INDEX patients_by_date_of_birth ON patients (date_of_birth, id) WHERE deleted_at IS NULL;
CREATE INDEX patients_by_registered_date ON patients (registered_date, id) WHERE deleted_at IS NULL;

-- Events that are accepted and not yet sent. A row is written in the transaction of the change it
-- tells of; a relay sends rows in order and marks them.
CREATE TABLE outbox (
    id                uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    seq               bigint      GENERATED ALWAYS AS IDENTITY,
    aggregate_id      uuid        NOT NULL,
    aggregate_version bigint      NOT NULL,
    type              text        NOT NULL
        CHECK (type IN ('PATIENT_CREATED', 'PATIENT_UPDATED', 'PATIENT_DELETED')),
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

-- Who did what to which patient, when, and with what outcome. It holds no patient data: no values,
-- no filters, only ids and counts.
CREATE TABLE audit_log (
    seq        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      uuid,
    role       text,
    token_id   text,
    action     text        NOT NULL
        CHECK (action IN ('CREATE', 'READ', 'LIST', 'UPDATE', 'DELETE')),
    patient_id uuid,
    -- How many patients a LIST showed.
    row_count  integer,
    outcome    text        NOT NULL
        CHECK (outcome IN ('SUCCESS', 'NOT_FOUND', 'CONFLICT', 'STALE', 'REFUSED', 'DENIED')),
    request_id text
);

CREATE INDEX audit_log_by_patient ON audit_log (patient_id, seq) WHERE patient_id IS NOT NULL;

CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log only grows';
END
$$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only();
