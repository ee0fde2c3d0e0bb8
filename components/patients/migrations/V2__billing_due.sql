-- What billing has still to be told: a patient's account to be opened, or to be closed. A row is
-- written in the statement that creates or deletes the patient, and removed once billing has
-- answered; what is left over is told again from time to time.
CREATE TABLE billing_due (
    patient_id uuid        PRIMARY KEY REFERENCES patients,
    wanted     text        NOT NULL CHECK (wanted IN ('OPEN', 'CLOSE')),
    -- Not before then: the request that made the row is telling billing itself.
    due_at     timestamptz NOT NULL DEFAULT now() + interval '5 seconds',
    -- How often it was taken up again: the pauses between grow with it.
    attempts   integer     NOT NULL DEFAULT 0
);

CREATE INDEX billing_due_by_time ON billing_due (due_at);

-- By triggers rather than in each statement, so that whoever writes patients leaves the row: the
-- demo data, and the previous version of the component, which may still be running.
CREATE FUNCTION billing_is_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO billing_due (patient_id, wanted) VALUES (NEW.id, 'OPEN');
    ELSE
        INSERT INTO billing_due (patient_id, wanted) VALUES (NEW.id, 'CLOSE')
        ON CONFLICT (patient_id) DO UPDATE
            SET wanted = excluded.wanted, due_at = excluded.due_at, attempts = 0;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER billing_is_due_once_created AFTER INSERT ON patients
    FOR EACH ROW EXECUTE FUNCTION billing_is_due();
CREATE TRIGGER billing_is_due_once_deleted AFTER UPDATE OF deleted_at ON patients
    FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
    EXECUTE FUNCTION billing_is_due();

-- Patients who were there before billing was.
INSERT INTO billing_due (patient_id, wanted)
SELECT id, CASE WHEN deleted_at IS NULL THEN 'OPEN' ELSE 'CLOSE' END FROM patients;
