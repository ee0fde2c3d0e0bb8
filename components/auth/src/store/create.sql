-- Adds a user: $1 to $5 the caller, $6 address, $7 name, $8 role, $9 hash.
WITH made AS (
    INSERT INTO users (id, email, name, role, password_hash)
    VALUES (gen_random_uuid(), $6::text, $7::text, $8::text, $9::text)
    RETURNING *
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'USER_CREATE', id, 'SUCCESS' FROM made
)
SELECT id, email, name, role, disabled, version,
    created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
FROM made
