INSERT INTO audit_log
    (actor, role, token_id, request_id, address, action, row_count, shown, outcome)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'STREAM', $6::bigint::integer,
    $7::text[]::uuid[], 'SUCCESS')
