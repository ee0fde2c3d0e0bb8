WITH made AS (
    INSERT INTO patients (name, name_key, email, address, date_of_birth, registered_date)
    VALUES ($5::text, $6::text, $7::text, $8::text, $9::date, $10::date)
    RETURNING *
),
event AS (
    INSERT INTO outbox (aggregate_id, aggregate_version, type, payload, occurred_at)
    SELECT id, version, 'PATIENT_CREATED', jsonb_build_object(
        'id', id, 'name', name, 'email', email, 'address', address,
        'dateOfBirth', date_of_birth, 'registeredDate', registered_date), updated_at
    FROM made
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'CREATE', id, 'SUCCESS'
    FROM made
)
SELECT id, name, email, address, date_of_birth, registered_date, version,
    created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC'
FROM made
