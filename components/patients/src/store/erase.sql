WITH erased AS (
    UPDATE patients
    SET name = NULL, name_key = NULL, email = NULL, shared_email = NULL, address = NULL,
        date_of_birth = NULL, registered_date = NULL, erased_at = clock_timestamp(),
        deleted_at = coalesce(deleted_at, clock_timestamp()), updated_at = clock_timestamp(),
        version = version + 1
    WHERE id = $5::uuid AND erased_at IS NULL AND (NOT restricted OR $9::boolean)
        AND ($6::bigint[] IS NULL OR version = ANY ($6::bigint[]))
        AND version <> ALL ($7::bigint[])
    RETURNING id, version, updated_at
),
-- What earlier events say of the patient is taken out of the outbox by a trigger: V12.
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_ERASED', jsonb_build_object('id', id), updated_at, $8::text
    FROM erased
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, action, patient_id, outcome, erasure_reason)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'ERASE', id, 'SUCCESS', $10::text
    FROM erased
)
SELECT version FROM erased
