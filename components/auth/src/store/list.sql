-- A page of users: $1 to $5 the caller, $6 one more than are shown, $7 the id before the first, $8
-- address, $9 role, $10 disabled. The inner limit is a constant so that the planner knows how
-- little is wanted.
WITH page AS MATERIALIZED (
    SELECT * FROM (
        SELECT id, email, name, role, disabled, version,
            created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
        FROM users
        WHERE id > $7::uuid AND deleted_at IS NULL
            AND ($8::text IS NULL OR email = $8::text)
            AND ($9::text IS NULL OR role = $9::text)
            AND ($10::boolean IS NULL OR disabled = $10::boolean)
        ORDER BY id LIMIT 501
    ) ordered
    LIMIT $6::bigint
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'USER_LIST', 'SUCCESS')
)
SELECT id, email, name, role, disabled, version, created, updated FROM page ORDER BY id
