WITH known AS (
    SELECT id, name, coalesce(email, shared_email) AS email, address, date_of_birth,
        registered_date, version, created_at AT TIME ZONE 'UTC' AS created,
        updated_at AT TIME ZONE 'UTC' AS updated, restricted
    FROM patients
    WHERE id = $6::uuid AND deleted_at IS NULL
),
found AS (
    SELECT * FROM known WHERE NOT restricted OR $7::boolean
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, patient_id, outcome, break_glass)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'READ', $6::uuid,
        CASE
            WHEN EXISTS (SELECT FROM found) THEN 'SUCCESS'
            WHEN EXISTS (SELECT FROM known) THEN 'DENIED'
            ELSE 'NOT_FOUND'
        END,
        (SELECT $8::text FROM found WHERE restricted)
)
SELECT id, name, email, address, date_of_birth, registered_date, version, created, updated,
    restricted
FROM found
