WITH found AS (
    SELECT id, version FROM patients WHERE id = $5::uuid AND deleted_at IS NULL
),
changed AS (
    UPDATE patients
    SET restricted = $6::boolean, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $5::uuid AND deleted_at IS NULL AND restricted <> $6::boolean
    RETURNING *
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_UPDATED', jsonb_build_object(
        'id', id, 'name', name, 'email', coalesce(email, shared_email, ''), 'address', address,
        'dateOfBirth', date_of_birth, 'registeredDate', registered_date, 'restricted', restricted),
        updated_at, $7::text
    FROM changed
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text,
        CASE WHEN $6::boolean THEN 'RESTRICT' ELSE 'RELEASE' END, $5::uuid,
        CASE WHEN EXISTS (SELECT FROM found) THEN 'SUCCESS' ELSE 'NOT_FOUND' END
)
SELECT version FROM changed
UNION ALL
SELECT version FROM found WHERE NOT EXISTS (SELECT FROM changed)
