WITH live AS (
    SELECT generation FROM projection
),
bands AS (
    -- Somebody whose birth lies ahead of this server's day is young.
    SELECT width_bucket(greatest(date_part('year', age($6::date, date_of_birth)), 0)::bigint,
            $7::bigint[]) AS band,
        sum(patients) AS patients
    FROM births JOIN live USING (generation)
    GROUP BY 1
),
kinds AS (
    SELECT type, sum(events) AS events
    FROM counts JOIN live USING (generation)
    WHERE bucket = 'day'
    GROUP BY type
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'SUMMARY', 'SUCCESS')
)
SELECT 'BAND' AS what, band::bigint, patients::bigint FROM bands
UNION ALL
SELECT type, 0, events::bigint FROM kinds
UNION ALL
SELECT 'SEQUENCE', 0, coalesce(max(seq), 0) FROM events
