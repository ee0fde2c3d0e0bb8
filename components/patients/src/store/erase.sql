WITH erased AS (
    UPDATE patients
    SET name = NULL, name_key = NULL, email = NULL, shared_email = NULL, address = NULL,
        date_of_birth = NULL, registered_date = NULL, erased_at = clock_timestamp(),
        deleted_at = coalesce(deleted_at, clock_timestamp()), updated_at = clock_timestamp(),
        version = version + 1
    WHERE id = $6::uuid AND erased_at IS NULL AND (NOT restricted OR $10::boolean)
        AND ($7::bigint[] IS NULL OR version = ANY ($7::bigint[]))
        AND version <> ALL ($8::bigint[])
    RETURNING id, version, updated_at
),
-- What earlier events say of the patient is taken out of the outbox by a trigger: V15.
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_ERASED', jsonb_build_object('id', id), updated_at, $9::text
    FROM erased
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, patient_id, outcome, erasure_reason)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'ERASE', id, 'SUCCESS', $11::text
    FROM erased
)
SELECT version FROM erased
