WITH found AS (
    SELECT id, version FROM patients WHERE id = $6::uuid AND deleted_at IS NULL
),
changed AS (
    UPDATE patients
    SET restricted = $7::boolean, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $6::uuid AND deleted_at IS NULL AND restricted <> $7::boolean
    RETURNING *
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_UPDATED', jsonb_build_object(
        'id', id, 'name', name, 'email', coalesce(email, shared_email, ''), 'address', address,
        'dateOfBirth', date_of_birth, 'registeredDate', registered_date, 'restricted', restricted),
        updated_at, $8::text
    FROM changed
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        CASE WHEN $7::boolean THEN 'RESTRICT' ELSE 'RELEASE' END, $6::uuid,
        CASE WHEN EXISTS (SELECT FROM found) THEN 'SUCCESS' ELSE 'NOT_FOUND' END
)
SELECT version FROM changed
UNION ALL
SELECT version FROM found WHERE NOT EXISTS (SELECT FROM changed)
