WITH known AS (
    -- The key was used already: what for, and how it was answered, is for recall.sql to find out.
    SELECT FROM idempotency WHERE key = $14::bytea AND at >= now() - interval '24 hours'
),
over AS (
    DELETE FROM idempotency WHERE key = $14::bytea AND at < now() - interval '24 hours'
    RETURNING key
),
-- More than come, so that they become fewer, and few.
old AS (
    DELETE FROM idempotency WHERE key IN (
        SELECT key FROM idempotency
        WHERE $14::bytea IS NOT NULL AND key <> $14::bytea AND at < now() - interval '24 hours'
        ORDER BY at LIMIT 10 FOR UPDATE SKIP LOCKED
    )
),
made AS (
    INSERT INTO patients
        (name, name_key, email, shared_email, address, date_of_birth, registered_date)
    SELECT $6::text, $7::text, $8::text, $13::text, $9::text, $10::date, $11::date
    -- An address that has to be unique is not one that others share from before it had to be.
    WHERE NOT EXISTS (SELECT FROM known) AND NOT EXISTS (
        SELECT FROM patients
        WHERE deleted_at IS NULL AND lower(shared_email COLLATE "C") = lower($8::text COLLATE "C")
    )
    ON CONFLICT (lower(email COLLATE "C")) WHERE deleted_at IS NULL DO NOTHING
    RETURNING *
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_CREATED', jsonb_build_object(
        'id', id, 'name', name, 'email', coalesce(email, shared_email, ''), 'address', address,
        'dateOfBirth', date_of_birth, 'registeredDate', registered_date), updated_at, $12::text
    FROM made
),
-- Patients who were deleted and look like this one: what they owe is on their own accounts. Those
-- who were restricted are for who sees such patients.
earlier AS (
    SELECT old.id, old.deleted_at, old.restricted
    FROM made JOIN patients old ON old.deleted_at IS NOT NULL
        AND (NOT old.restricted OR $16::boolean)
        AND (lower(old.email COLLATE "C") = lower(made.email COLLATE "C")
            OR (old.search_key = made.search_key AND old.date_of_birth = made.date_of_birth))
    ORDER BY old.deleted_at DESC
    LIMIT 10
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, patient_id, shown, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'CREATE', (SELECT id FROM made),
        (SELECT array_agg(id) FROM earlier),
        CASE WHEN EXISTS (SELECT FROM made) THEN 'SUCCESS' ELSE 'CONFLICT' END
    WHERE $14::bytea IS NULL OR EXISTS (SELECT FROM made)
),
-- Of two with one key the second waits here for the first, and fails with all it did: no patient
-- is made twice. What it fails with is a digest.
keyed AS (
    INSERT INTO idempotency (key, request, patient_id, earlier, restricted)
    SELECT $14::bytea, $15::bytea, id,
        ARRAY(SELECT earlier.id FROM earlier ORDER BY deleted_at DESC),
        ARRAY(SELECT earlier.id FROM earlier WHERE earlier.restricted)
    FROM made
    -- After what was there is gone.
    WHERE $14::bytea IS NOT NULL AND (SELECT count(*) FROM over) >= 0
)
SELECT id, name, coalesce(email, shared_email), address, date_of_birth, registered_date, version,
    created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC', restricted,
    (SELECT coalesce(string_agg(id::text, ',' ORDER BY deleted_at DESC), '') FROM earlier)
FROM made
