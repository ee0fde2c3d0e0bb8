-- Changes the caller's own name: $1 to $5 the caller, $6 name or NULL, $7 and $8 versions,
-- $9 address and $10 moment of creation that were sent back.
WITH changed AS (
    UPDATE users
    SET name = coalesce($6::text, name), version = version + 1, updated_at = clock_timestamp()
    WHERE id = $1::uuid AND NOT disabled
        AND ($7::bigint[] IS NULL OR version = ANY ($7::bigint[]))
        AND version <> ALL ($8::bigint[])
        AND ($9::text IS NULL OR email = $9::text)
        AND ($10::text IS NULL OR created_at = $10::text::timestamptz)
    RETURNING *
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'PROFILE_UPDATE', id, 'SUCCESS' FROM changed
)
SELECT id, email, name, role, disabled, version,
    created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
FROM changed
