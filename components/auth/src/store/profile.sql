-- Changes the caller's own name: $1 to $4 the caller, $5 name, $6 and $7 versions.
WITH changed AS (
    UPDATE users
    SET name = $5::text, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $1::uuid AND NOT disabled
        AND ($6::bigint[] IS NULL OR version = ANY ($6::bigint[]))
        AND version <> ALL ($7::bigint[])
    RETURNING *
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'PROFILE_UPDATE', id, 'SUCCESS' FROM changed
)
SELECT id, email, name, role, disabled, version,
    created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
FROM changed
