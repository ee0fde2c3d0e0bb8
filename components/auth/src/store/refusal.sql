-- Writes down a change that was not made: $1 to $5 the caller, $6 whose, $7 action, $8 and $9
-- versions, $10 address and $11 moment of creation that were sent back; and says why.
WITH noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, $7::text, $6::uuid, 'FAILURE')
), found AS (
    SELECT email, created_at, version <> ALL ($8::bigint[]) OR version = ANY ($9::bigint[]) AS stale
    FROM users WHERE id = $6::uuid AND deleted_at IS NULL
)
SELECT CASE
    WHEN NOT EXISTS (SELECT FROM found) THEN 'NOT_FOUND'
    WHEN EXISTS (SELECT FROM found WHERE stale) THEN 'STALE'
    WHEN EXISTS (SELECT FROM found WHERE email <> $10::text) THEN 'email'
    WHEN EXISTS (SELECT FROM found WHERE created_at <> $11::text::timestamptz) THEN 'createdAt'
    ELSE 'STALE'
END AS verdict
