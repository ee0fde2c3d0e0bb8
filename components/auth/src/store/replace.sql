-- Replaces a user: $1 to $4 the caller, $5 id, $6 address, $7 name, $8 role, $9 disabled, $10 a new
-- hash or NULL, $11 and $12 versions. Sessions end by the table's trigger, and here with a password.
WITH changed AS (
    UPDATE users
    SET email = $6::text, name = $7::text, role = $8::text, disabled = $9::boolean,
        password_hash = coalesce($10::text, password_hash), version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = $5::uuid AND deleted_at IS NULL
        AND ($11::bigint[] IS NULL OR version = ANY ($11::bigint[]))
        AND version <> ALL ($12::bigint[])
    RETURNING *
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'USER_UPDATE', id, 'SUCCESS' FROM changed
)
SELECT id, email, name, role, disabled, version,
    created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated,
    CASE WHEN $10::text IS NOT NULL THEN end_sessions(id, NULL, 'PASSWORD') END AS ended
FROM changed
