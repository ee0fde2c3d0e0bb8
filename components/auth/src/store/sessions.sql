-- The caller's sessions: $1 to $4 the caller, $5 how many at most.
WITH live AS (
    SELECT id, started_at, refreshed_at, refresh_until, address
    FROM sessions
    WHERE user_id = $1::uuid AND ended_at IS NULL AND refresh_until > now()
    ORDER BY started_at DESC, id
    LIMIT $5::bigint
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, 'SESSION_LIST', 'SUCCESS')
)
SELECT id, started_at AT TIME ZONE 'UTC' AS started, refreshed_at AT TIME ZONE 'UTC' AS refreshed,
    refresh_until AT TIME ZONE 'UTC' AS expires, address
FROM live
ORDER BY started_at DESC, id
