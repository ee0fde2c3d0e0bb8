-- A user: $1 to $5 the caller, $6 id, $7 action.
WITH found AS (
    SELECT * FROM users WHERE id = $6::uuid AND deleted_at IS NULL
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, $7::text, $6::uuid,
        CASE WHEN EXISTS (SELECT FROM found) THEN 'SUCCESS' ELSE 'FAILURE' END
)
SELECT id, email, name, role, disabled, version,
    created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
FROM found
