-- Writes down a change that was not made: $1 to $5 the caller, $6 whose, $7 action; and says
-- whether there is such a user.
WITH noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, $7::text, $6::uuid, 'FAILURE')
)
SELECT EXISTS (SELECT FROM users WHERE id = $6::uuid AND deleted_at IS NULL) AS there
