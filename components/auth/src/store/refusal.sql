-- Writes down a change that was not made: $1 to $4 the caller, $5 whose, $6 action; and says whether
-- there is such a user.
WITH noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, target, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, $6::text, $5::uuid, 'FAILURE')
)
SELECT EXISTS (SELECT FROM users WHERE id = $5::uuid AND deleted_at IS NULL) AS there
