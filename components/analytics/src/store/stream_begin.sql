WITH noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'STREAM', 'SUCCESS')
)
-- What is beyond the last event has not been seen by anybody: it comes from another database.
SELECT least($6::bigint, coalesce(max(seq), 0)) FROM events
