WITH found AS (
    SELECT id, name, coalesce(email, shared_email) AS email, address, date_of_birth, registered_date, version,
        created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
    FROM patients
    WHERE id = $5::uuid AND deleted_at IS NULL
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'READ', $5::uuid,
        CASE WHEN EXISTS (SELECT FROM found) THEN 'SUCCESS' ELSE 'NOT_FOUND' END
)
SELECT id, name, email, address, date_of_birth, registered_date, version, created, updated
FROM found
