-- Adds a user: $1 to $4 the caller, $5 address, $6 name, $7 role, $8 hash.
WITH made AS (
    INSERT INTO users (id, email, name, role, password_hash)
    VALUES (gen_random_uuid(), $5::text, $6::text, $7::text, $8::text)
    RETURNING *
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'USER_CREATE', id, 'SUCCESS' FROM made
)
SELECT id, email, name, role, disabled, version,
    created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
FROM made
