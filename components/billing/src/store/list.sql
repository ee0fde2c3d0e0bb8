-- The inner limit is a constant so that the planner knows how little is wanted.
WITH page AS MATERIALIZED (
    SELECT * FROM (
        SELECT id, patient_id, status, balance, currency, version,
            created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
        FROM accounts
        WHERE id > $7::uuid
        AND ($8::boolean OR NOT is_restricted(patient_id))
        ORDER BY id LIMIT 501
    ) ordered
    LIMIT $6::bigint
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, row_count, shown, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'LIST', least(count(*), $6::bigint - 1),
        (array_agg(patient_id ORDER BY id))[:($6::bigint - 1)::integer], 'SUCCESS'
    FROM page
)
SELECT id, patient_id, status, balance, currency, version, created, updated
FROM page ORDER BY id
