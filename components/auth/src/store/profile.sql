-- Changes the caller's own name: $1 to $5 the caller, $6 name, $7 and $8 versions.
WITH changed AS (
    UPDATE users
    SET name = $6::text, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $1::uuid AND NOT disabled
        AND ($7::bigint[] IS NULL OR version = ANY ($7::bigint[]))
        AND version <> ALL ($8::bigint[])
    RETURNING *
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'PROFILE_UPDATE', id, 'SUCCESS' FROM changed
)
SELECT id, email, name, role, disabled, version,
    created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
FROM changed
