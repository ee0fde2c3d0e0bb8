-- Requests that came with a key (Idempotency-Key), for 24 hours: whoever sends one again gets the
-- first answer. Digests, and no patient data: that of the request has the key in it, which is not
-- here.
CREATE TABLE idempotency (
    -- Of the key, its user and the operation.
    key        bytea       PRIMARY KEY,
    -- Of all that and the document.
    request    bytea       NOT NULL,
    patient_id uuid        NOT NULL,
    -- What the answer named besides: deleted patients who were probably the same person.
    earlier    uuid[]      NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);

-- The oldest are removed first, by whoever comes with a key.
CREATE INDEX idempotency_by_time ON idempotency (at);

-- A request that came again created nobody, and is no other creation.
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_outcome_check,
    ADD CONSTRAINT audit_log_outcome_check CHECK (outcome IN (
        'SUCCESS', 'NOT_FOUND', 'CONFLICT', 'STALE', 'REFUSED', 'DENIED',
        'NO_TOKEN', 'BAD_TOKEN', 'EXPIRED_TOKEN', 'EARLY_TOKEN', 'ENDED_SESSION', 'FORBIDDEN',
        'REPEATED')) NOT VALID;
