-- Replaces a user: $1 to $5 the caller, $6 id, $7 address, $8 name or NULL, $9 role, $10
-- disabled, $11 a new hash or NULL, $12 and $13 versions, $14 an address that has to be the present
-- one, $15 the moment of creation as it was sent back. Sessions end by the table's trigger, and here
-- with a password.
WITH changed AS (
    UPDATE users
    SET email = $7::text, name = coalesce($8::text, name), role = $9::text, disabled = $10::boolean,
        password_hash = coalesce($11::text, password_hash), version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = $6::uuid AND deleted_at IS NULL
        AND ($12::bigint[] IS NULL OR version = ANY ($12::bigint[]))
        AND version <> ALL ($13::bigint[])
        AND ($14::text IS NULL OR email = $14::text)
        AND ($15::text IS NULL OR created_at = $15::text::timestamptz)
    RETURNING *
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'USER_UPDATE', id, 'SUCCESS' FROM changed
)
SELECT id, email, name, role, disabled, version,
    created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated,
    CASE WHEN $11::text IS NOT NULL THEN end_sessions(id, NULL, 'PASSWORD') END AS ended
FROM changed
