-- Refunds: money that is given back. A refund is no negative payment and no charge: the patient
-- owes as much more (or has as much less to come), and as much less is in cash.

ALTER TABLE entries
    DROP CONSTRAINT entries_kind_check,
    DROP CONSTRAINT entries_check1,
    ADD CONSTRAINT entries_kind_check
        CHECK (kind IN ('CHARGE', 'PAYMENT', 'REVERSAL', 'REFUND')),
    ADD CONSTRAINT entries_sign_check
        CHECK (CASE kind WHEN 'CHARGE' THEN amount > 0 WHEN 'PAYMENT' THEN amount < 0
            WHEN 'REFUND' THEN amount > 0 ELSE true END);

ALTER TABLE outbox
    DROP CONSTRAINT outbox_type_check,
    ADD CONSTRAINT outbox_type_check
        CHECK (type IN ('ACCOUNT_OPENED', 'ACCOUNT_CLOSED', 'CHARGE_POSTED', 'PAYMENT_RECORDED',
                        'ENTRY_VOIDED', 'REFUND_RECORDED'));

ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_action_check,
    ADD CONSTRAINT audit_log_action_check
        CHECK (action IN ('OPEN', 'CLOSE', 'READ', 'LIST', 'STATEMENT', 'CHARGE', 'PAYMENT',
                          'VOID', 'REFUND'));

-- What was paid on an account and has not been given back. VOLATILE, so that it sees what was
-- committed while its caller waited for the account's lock; a sum in the caller's own statement
-- would not. Summed each time: a refund, or undoing a payment, is rare.
CREATE FUNCTION cash_of(account uuid) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(p.amount), 0)
            FROM entries e JOIN postings p ON p.entry_id = e.id
            WHERE e.account_id = account AND p.ledger = 'CASH');
END
$$;

-- No more is given back than was paid, whoever writes: not by a refund, and not by undoing a
-- payment of which something was given back.
CREATE FUNCTION cash_is_covered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF cash_of(NEW.account_id) < 0 THEN
        RAISE EXCEPTION 'more would be given back than was paid' USING ERRCODE = '23514';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER cash_is_covered AFTER INSERT ON entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind IN ('REFUND', 'REVERSAL'))
    EXECUTE FUNCTION cash_is_covered();
