WITH page AS MATERIALIZED (
    SELECT seq, (jsonb_strip_nulls(to_jsonb(entry))
        - ARRAY['chain_lane', 'chain_number', 'chain_digest']
        || jsonb_build_object('at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        )::text AS text
    FROM audit_log AS entry
    WHERE seq < $7::bigint/* and what was asked for */
    ORDER BY seq DESC
    LIMIT $6::bigint
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, outcome)
    VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'AUDIT', 'SUCCESS')
)
SELECT seq, text FROM page ORDER BY seq DESC
