-- Ends a session of the caller's: $1 to $4 the caller, $5 session, $6 reason, $7 action. One that
-- has ended already is there as well: whoever asks again is told the same.
WITH ended AS (
    UPDATE sessions SET ended_at = now(), end_reason = $6::text
    WHERE id = $5::uuid AND user_id = $1::uuid AND ended_at IS NULL
    RETURNING id
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $7::text, id, 'SUCCESS' FROM ended
)
SELECT id FROM sessions WHERE id = $5::uuid AND user_id = $1::uuid
