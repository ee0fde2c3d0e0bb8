WITH changed AS (
    UPDATE patients
    SET name = $6::text, name_key = $7::text, email = $8::text, shared_email = $18::text,
        address = $9::text,
        date_of_birth = $10::date, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $5::uuid AND deleted_at IS NULL AND (NOT restricted OR $19::boolean)
        AND ($11::bigint[] IS NULL OR version = ANY ($11::bigint[]))
        AND version <> ALL ($12::bigint[])
        AND ($13::date IS NULL OR registered_date = $13::date)
        -- Who is in the table with other dates, from before there was this rule, keeps them.
        AND ($10::date <= registered_date OR $10::date = date_of_birth)
        -- The index would say so as well, but a server may log its errors with the values: it is
        -- left to it only where two are changed to one address at the same moment.
        AND NOT EXISTS (
            SELECT FROM patients other
            WHERE other.deleted_at IS NULL AND other.id <> $5::uuid
                AND (lower(other.shared_email COLLATE "C") = lower($8::text COLLATE "C")
                    OR lower(other.email COLLATE "C") = lower($8::text COLLATE "C"))
        )
        AND ($15::bigint IS NULL OR version = $15::bigint)
        AND ($16::text IS NULL OR created_at = $16::text::timestamptz)
        AND ($17::text IS NULL OR updated_at = $17::text::timestamptz)
    RETURNING *
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_UPDATED', jsonb_build_object(
        'id', id, 'name', name, 'email', coalesce(email, shared_email, ''), 'address', address,
        'dateOfBirth', date_of_birth, 'registeredDate', registered_date, 'restricted', restricted),
        updated_at, $14::text
    FROM changed
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'UPDATE', id, 'SUCCESS'
    FROM changed
)
SELECT id, name, coalesce(email, shared_email), address, date_of_birth, registered_date, version,
    created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC', restricted
FROM changed
