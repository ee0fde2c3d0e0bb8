-- Billing consumes the events of patients now: every row that billing_due could have has an event
-- in the outbox that says the same. The previous version of the component still removes rows of
-- the table and finds none; the table goes with a later migration.
DROP TRIGGER billing_is_due_once_created ON patients;
DROP TRIGGER billing_is_due_once_deleted ON patients;
DROP FUNCTION billing_is_due();
TRUNCATE billing_due;
