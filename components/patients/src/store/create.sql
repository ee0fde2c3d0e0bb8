WITH made AS (
    INSERT INTO patients (name, name_key, email, address, date_of_birth, registered_date)
    VALUES ($5::text, $6::text, $7::text, $8::text, $9::date, $10::date)
    ON CONFLICT (lower(email COLLATE "C")) WHERE deleted_at IS NULL DO NOTHING
    RETURNING *
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_CREATED', jsonb_build_object(
        'id', id, 'name', name, 'email', email, 'address', address,
        'dateOfBirth', date_of_birth, 'registeredDate', registered_date), updated_at, $11::text
    FROM made
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'CREATE', (SELECT id FROM made),
        CASE WHEN EXISTS (SELECT FROM made) THEN 'SUCCESS' ELSE 'CONFLICT' END
)
SELECT id, name, email, address, date_of_birth, registered_date, version,
    created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC'
FROM made
