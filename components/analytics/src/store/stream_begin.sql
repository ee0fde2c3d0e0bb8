WITH noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, 'STREAM', 'SUCCESS')
)
-- What is beyond the last event has not been seen by anybody: it comes from another database.
SELECT least($5::bigint, coalesce(max(seq), 0)) FROM events
