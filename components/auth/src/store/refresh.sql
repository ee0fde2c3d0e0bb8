-- Replaces a refresh token: $1 its hash, $2 the next one's, $3 the end of the access token that
-- comes with it, $4 seconds of idleness, $5 most refreshes, $6 the access token, $7 request, $8
-- address. Whoever waits for the session's row finds another hash in it, or its end.
WITH session AS (
    UPDATE sessions s
    SET token_hash = $2::bytea, previous_hash = s.token_hash, refreshed_at = now(),
        refreshes = s.refreshes + 1,
        access_until = greatest(s.access_until, to_timestamp($3::bigint)),
        refresh_until = least(now() + $4::bigint * interval '1 second', s.expires_at)
    FROM users u
    WHERE s.token_hash = $1::bytea AND s.ended_at IS NULL AND s.refresh_until > now()
        AND s.refreshes < $5::bigint AND u.id = s.user_id AND NOT u.disabled
    RETURNING s.id, s.user_id, u.role, s.refresh_until
), spent AS (
    INSERT INTO spent_tokens (hash, session_id) SELECT $1::bytea, id FROM session
), noted AS (
    INSERT INTO audit_log (actor, role, action, target, outcome, request_id, address)
    SELECT user_id, role, 'REFRESH', $6::uuid, 'SUCCESS', $7::text, $8::text::inet FROM session
)
SELECT id, user_id, role, extract(epoch FROM refresh_until - now())::bigint AS seconds FROM session
