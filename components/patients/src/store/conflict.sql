INSERT INTO audit_log (actor, role, token_id, request_id, address, action, patient_id, outcome)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'UPDATE', $6::uuid, 'CONFLICT')
