-- What follows where a refresh token was not the newest: $1 its hash, $2 for how many seconds the
-- one before the newest is forgiven, $3 request, $4 address. Whether it is forgiven is asked of the
-- session's row as it is once it is locked.
WITH spent AS (
    SELECT session_id FROM spent_tokens WHERE hash = $1::bytea
), raced AS (
    SELECT s.id FROM sessions s JOIN spent ON s.id = spent.session_id
    WHERE s.ended_at IS NULL AND s.previous_hash = $1::bytea
        AND s.refreshed_at > now() - $2::bigint * interval '1 second'
), ended AS (
    UPDATE sessions s SET ended_at = now(), end_reason = 'REUSE'
    FROM spent
    WHERE s.id = spent.session_id AND s.ended_at IS NULL
        AND (s.previous_hash = $1::bytea
            AND s.refreshed_at > now() - $2::bigint * interval '1 second') IS NOT TRUE
    RETURNING s.id, s.user_id
), noted AS (
    INSERT INTO audit_log (actor, action, target, outcome, request_id, address)
    SELECT user_id, 'REFRESH', id, 'FAILURE', $3::text, $4::text::inet FROM ended
)
SELECT EXISTS (SELECT FROM raced) AND NOT EXISTS (SELECT FROM ended) AS raced,
    EXISTS (SELECT FROM ended) AS ended
