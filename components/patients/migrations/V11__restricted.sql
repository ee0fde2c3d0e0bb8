-- Patients of whom only those learn who are allowed to: docs/roles.md. Whoever has to read one all the
-- same gives a reason (break-glass), whose code is in the audit row; it is null in all others. A ward
-- of the previous version knows of no restriction: patients are restricted once it is gone.
ALTER TABLE patients ADD COLUMN restricted boolean NOT NULL DEFAULT false;

ALTER TABLE audit_log
    ADD COLUMN break_glass text,
    DROP CONSTRAINT audit_log_action_check,
    ADD CONSTRAINT audit_log_action_check
        CHECK (action IN ('CREATE', 'READ', 'LIST', 'UPDATE', 'DELETE', 'RESTRICT', 'RELEASE',
                          'AUDIT'));

CREATE INDEX audit_log_break_glass ON audit_log (seq) WHERE break_glass IS NOT NULL;
