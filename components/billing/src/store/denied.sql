INSERT INTO audit_log (actor, role, token_id, request_id, action, account_id, entry_id, outcome)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::uuid, $7::uuid, 'DENIED')
