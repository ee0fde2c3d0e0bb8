WITH live AS (
    SELECT generation FROM projection
),
last AS (
    SELECT seq, occurred_at AT TIME ZONE 'UTC' AS occurred,
        received_at AT TIME ZONE 'UTC' AS received
    FROM events
    ORDER BY seq DESC
    LIMIT 1
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'LAG', 'SUCCESS')
)
SELECT 0::bigint AS minutes, 0::bigint AS below_ms, seq AS events, 0::bigint AS total_ms, occurred,
    received
FROM last
UNION ALL
SELECT span.minutes, l.below_ms::bigint, sum(l.events)::bigint, sum(l.total_ms)::bigint,
    NULL::timestamp, NULL::timestamp
FROM unnest($6::bigint[]) AS span (minutes)
JOIN live ON true
JOIN latencies l ON l.generation = live.generation
    AND l.minute > now() - span.minutes * interval '1 minute'
GROUP BY span.minutes, l.below_ms
ORDER BY 1, 2
