-- Replaces a user: $1 to $5 the caller, $6 id, $7 address, $8 name, $9 role, $10 disabled, $11 a
-- new hash or NULL, $12 and $13 versions. Sessions end by the table's trigger, and here with a
-- password.
WITH changed AS (
    UPDATE users
    SET email = $7::text, name = $8::text, role = $9::text, disabled = $10::boolean,
        password_hash = coalesce($11::text, password_hash), version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = $6::uuid AND deleted_at IS NULL
        AND ($12::bigint[] IS NULL OR version = ANY ($12::bigint[]))
        AND version <> ALL ($13::bigint[])
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
