WITH found AS (
    SELECT version, registered_date
    FROM patients
    WHERE id = $5::uuid AND deleted_at IS NULL
),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM found) THEN 'NOT_FOUND'
        WHEN $7::bigint[] IS NOT NULL
            AND NOT EXISTS (SELECT FROM found WHERE version = ANY ($7::bigint[])) THEN 'STALE'
        WHEN EXISTS (SELECT FROM found WHERE registered_date <> $8::date) THEN 'REFUSED'
        ELSE 'STALE'
    END AS outcome
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $6::text, $5::uuid, outcome
    FROM verdict
)
SELECT outcome FROM verdict
