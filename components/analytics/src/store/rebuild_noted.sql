INSERT INTO audit_log (actor, role, token_id, request_id, action, outcome)
VALUES ($1::uuid, $2::text, $3::text, $4::text, 'REBUILD', 'SUCCESS')
