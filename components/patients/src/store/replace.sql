WITH changed AS (
    UPDATE patients
    SET name = $6::text, name_key = $7::text, email = $8::text, address = $9::text,
        date_of_birth = $10::date, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $5::uuid AND deleted_at IS NULL
        AND ($11::bigint[] IS NULL OR version = ANY ($11::bigint[]))
        AND ($12::date IS NULL OR registered_date = $12::date)
    RETURNING *
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_UPDATED', jsonb_build_object(
        'id', id, 'name', name, 'email', email, 'address', address,
        'dateOfBirth', date_of_birth, 'registeredDate', registered_date), updated_at, $13::text
    FROM changed
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'UPDATE', id, 'SUCCESS'
    FROM changed
)
SELECT id, name, email, address, date_of_birth, registered_date, version,
    created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC'
FROM changed
