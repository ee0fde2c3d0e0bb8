WITH changed AS (
    UPDATE patients
    SET name = $7::text, name_key = $8::text, email = $9::text, shared_email = $20::text,
        address = $10::text,
        date_of_birth = $11::date, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $6::uuid AND deleted_at IS NULL AND (NOT restricted OR $21::boolean)
        AND ($12::bigint[] IS NULL OR version = ANY ($12::bigint[]))
        AND version <> ALL ($13::bigint[])
        AND ($14::date IS NULL OR registered_date = $14::date)
        -- Who is in the table with other dates, from before there was this rule, keeps them.
        AND ($11::date <= registered_date OR $11::date = date_of_birth)
        -- The index would say so as well, but a server may log its errors with the values: it is
        -- left to it only where two are changed to one address at the same moment.
        AND NOT EXISTS (
            SELECT FROM patients other
            WHERE other.deleted_at IS NULL AND other.id <> $6::uuid
                AND (lower(other.shared_email COLLATE "C") = lower($9::text COLLATE "C")
                    OR lower(other.email COLLATE "C") = lower($9::text COLLATE "C"))
        )
        AND ($16::bigint IS NULL OR version = $16::bigint)
        AND ($17::text IS NULL OR created_at = $17::text::timestamptz)
        AND ($18::text IS NULL OR updated_at = $18::text::timestamptz)
        AND ($19::boolean IS NULL OR restricted = $19::boolean)
    RETURNING *
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_UPDATED', jsonb_build_object(
        'id', id, 'name', name, 'email', coalesce(email, shared_email, ''), 'address', address,
        'dateOfBirth', date_of_birth, 'registeredDate', registered_date, 'restricted', restricted),
        updated_at, $15::text
    FROM changed
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'UPDATE', id, 'SUCCESS'
    FROM changed
)
SELECT id, name, coalesce(email, shared_email), address, date_of_birth, registered_date, version,
    created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC', restricted
FROM changed
