-- A page of users: $1 to $4 the caller, $5 one more than are shown, $6 the id before the first, $7
-- address, $8 role, $9 disabled. The inner limit is a constant so that the planner knows how little
-- is wanted.
WITH page AS MATERIALIZED (
    SELECT * FROM (
        SELECT id, email, name, role, disabled, version,
            created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
        FROM users
        WHERE id > $6::uuid AND deleted_at IS NULL
            AND ($7::text IS NULL OR email = $7::text)
            AND ($8::text IS NULL OR role = $8::text)
            AND ($9::boolean IS NULL OR disabled = $9::boolean)
        ORDER BY id LIMIT 501
    ) ordered
    LIMIT $5::bigint
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, 'USER_LIST', 'SUCCESS')
)
SELECT id, email, name, role, disabled, version, created, updated FROM page ORDER BY id
