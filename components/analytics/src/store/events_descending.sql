WITH page AS MATERIALIZED (
    SELECT seq, id, patient_id, version, type, occurred_at AT TIME ZONE 'UTC' AS occurred,
        received_at AT TIME ZONE 'UTC' AS received
    FROM events
    WHERE seq < $7::bigint AND ($6::uuid IS NULL OR patient_id = $6::uuid)
        AND ($9::boolean OR NOT is_restricted(patient_id))
    ORDER BY seq DESC
    LIMIT $8::bigint
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, patient_id, row_count, shown, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'EVENTS', $6::uuid,
        least(count(*), $8::bigint - 1),
        (SELECT array_agg(DISTINCT patient_id) FROM
            (SELECT patient_id FROM page ORDER BY seq DESC LIMIT $8::bigint - 1) AS shown),
        'SUCCESS'
    FROM page
)
SELECT seq, id, patient_id, version, type, occurred, received FROM page ORDER BY seq DESC
