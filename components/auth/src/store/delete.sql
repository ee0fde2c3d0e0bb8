-- Deletes a user: $1 to $5 the caller, $6 id, $7 and $8 versions. The sessions end with it, because
-- whoever is deleted is disabled.
WITH changed AS (
    UPDATE users
    SET deleted_at = now(), disabled = true, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $6::uuid AND deleted_at IS NULL
        AND ($7::bigint[] IS NULL OR version = ANY ($7::bigint[]))
        AND version <> ALL ($8::bigint[])
    RETURNING *
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'USER_DELETE', id, 'SUCCESS' FROM changed
)
SELECT id, email, name, role, disabled, version,
    created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
FROM changed
