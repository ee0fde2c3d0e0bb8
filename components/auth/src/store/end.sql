-- Ends a session of the caller's: $1 to $5 the caller, $6 session, $7 reason, $8 action. One that
-- has ended already is there as well: whoever asks again is told the same.
WITH ended AS (
    UPDATE sessions SET ended_at = now(), end_reason = $7::text
    WHERE id = $6::uuid AND user_id = $1::uuid AND ended_at IS NULL
    RETURNING id
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        $8::text, id, 'SUCCESS' FROM ended
)
SELECT id FROM sessions WHERE id = $6::uuid AND user_id = $1::uuid
