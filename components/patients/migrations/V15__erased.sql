-- Erased patients (docs/erasure.md): what is left of one is the id, the version and when that was,
-- so that whoever still names the patient (the audit log, an account, an event) names nobody. They
-- count as deleted for whoever looks for deleted_at alone, wards of the previous version included.
ALTER TABLE patients
    ALTER COLUMN name DROP NOT NULL,
    ALTER COLUMN name_key DROP NOT NULL,
    ALTER COLUMN address DROP NOT NULL,
    ALTER COLUMN date_of_birth DROP NOT NULL,
    ALTER COLUMN registered_date DROP NOT NULL,
    ADD COLUMN erased_at timestamptz,
    -- Nobody else is without these.
    ADD CONSTRAINT patients_whole CHECK (erased_at IS NOT NULL
        OR num_nulls(name, name_key, address, date_of_birth, registered_date) = 0) NOT VALID,
    ADD CONSTRAINT patients_erased CHECK (erased_at IS NULL OR (deleted_at IS NOT NULL
        AND num_nonnulls(name, name_key, email, shared_email, address, date_of_birth,
            registered_date) = 0)) NOT VALID;

ALTER TABLE outbox
    DROP CONSTRAINT outbox_type_check,
    ADD CONSTRAINT outbox_type_check CHECK (type IN
        ('PATIENT_CREATED', 'PATIENT_UPDATED', 'PATIENT_DELETED', 'PATIENT_ERASED')) NOT VALID;

-- What the outbox still says of the patient goes as well, sent or not: rows stay, and with them the
-- order, so that one that was not sent yet is sent without a name. By a trigger rather than in the
-- statement, because that sees the outbox as it was when it began: an event whose change it had to
-- wait for would keep its name. The trigger looks once more, with the patient's row locked, so that
-- nothing comes after.
CREATE FUNCTION patients_erase_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    personal CONSTANT text[] := ARRAY['name', 'email', 'address', 'dateOfBirth', 'registeredDate'];
BEGIN
    UPDATE outbox SET payload = payload - personal
    WHERE aggregate_id = NEW.id AND payload ?| personal;
    RETURN NULL;
END
$$;

CREATE TRIGGER patients_erase_outbox AFTER UPDATE OF erased_at ON patients
    FOR EACH ROW WHEN (OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL)
    EXECUTE FUNCTION patients_erase_outbox();

-- Why somebody was erased: a code out of a list. Null in all other rows.
ALTER TABLE audit_log
    ADD COLUMN erasure_reason text,
    DROP CONSTRAINT audit_log_action_check,
    ADD CONSTRAINT audit_log_action_check
        CHECK (action IN ('CREATE', 'READ', 'LIST', 'UPDATE', 'DELETE', 'RESTRICT', 'RELEASE',
                          'ERASE', 'AUDIT', 'REFUSED', 'PRUNE')) NOT VALID;
