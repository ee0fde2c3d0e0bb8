WITH spine AS (
    -- In UTC without a zone, so that a day is a day whatever zone the server thinks it is in.
    SELECT at
    FROM generate_series($7::text::timestamptz AT TIME ZONE 'UTC',
        ($8::text::timestamptz AT TIME ZONE 'UTC') - interval '1 microsecond',
        ('1 ' || $6::text)::interval) AS at
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, row_count, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'TIMELINE', count(*), 'SUCCESS' FROM spine
)
SELECT spine.at,
    coalesce(sum(c.events) FILTER (WHERE c.type = 'PATIENT_CREATED'), 0)::bigint,
    coalesce(sum(c.events) FILTER (WHERE c.type = 'PATIENT_UPDATED'), 0)::bigint,
    coalesce(sum(c.events) FILTER (WHERE c.type = 'PATIENT_DELETED'), 0)::bigint,
    coalesce(sum(c.events) FILTER (WHERE c.type = 'PATIENT_ERASED'), 0)::bigint
FROM spine
LEFT JOIN counts c ON c.generation = (SELECT generation FROM projection)
    AND c.bucket = $6::text AND c.at = spine.at AT TIME ZONE 'UTC'
GROUP BY spine.at
ORDER BY spine.at
