-- The caller's sessions: $1 to $5 the caller, $6 how many at most.
WITH live AS (
    SELECT id, started_at, refreshed_at, refresh_until, address
    FROM sessions
    WHERE user_id = $1::uuid AND ended_at IS NULL AND refresh_until > now()
    ORDER BY started_at DESC, id
    LIMIT $6::bigint
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'SESSION_LIST', 'SUCCESS')
)
SELECT id, started_at AT TIME ZONE 'UTC' AS started, refreshed_at AT TIME ZONE 'UTC' AS refreshed,
    refresh_until AT TIME ZONE 'UTC' AS expires, address
FROM live
ORDER BY started_at DESC, id
