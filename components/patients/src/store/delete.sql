WITH gone AS (
    UPDATE patients
    SET deleted_at = clock_timestamp(), updated_at = clock_timestamp(), version = version + 1
    WHERE id = $6::uuid AND deleted_at IS NULL AND (NOT restricted OR $10::boolean)
        AND ($7::bigint[] IS NULL OR version = ANY ($7::bigint[]))
        AND version <> ALL ($8::bigint[])
    RETURNING id, version, updated_at
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_DELETED', jsonb_build_object('id', id), updated_at, $9::text
    FROM gone
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'DELETE', id, 'SUCCESS'
    FROM gone
)
SELECT version FROM gone
