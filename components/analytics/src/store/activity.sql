WITH found AS (
    SELECT id, version, deleted, events, first_at AT TIME ZONE 'UTC' AS first_at,
        last_at AT TIME ZONE 'UTC' AS last_at
    FROM patients
    WHERE generation = (SELECT generation FROM projection) AND id = $6::uuid
        AND ($7::boolean OR NOT is_restricted(id))
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'ACTIVITY', $6::uuid,
        CASE WHEN EXISTS (SELECT FROM found) THEN 'SUCCESS' ELSE 'NOT_FOUND' END
)
SELECT id, version, deleted, events, first_at, last_at FROM found
