WITH found AS MATERIALIZED (
    SELECT id, version, deleted, events, first_at AT TIME ZONE 'UTC' AS first_at,
        last_at AT TIME ZONE 'UTC' AS last_at
    FROM patients
    WHERE generation = (SELECT generation FROM projection) AND events > 1
        AND ($7::boolean OR NOT is_restricted(id))
    ORDER BY generation DESC, events DESC, id DESC
    LIMIT $6::bigint
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, row_count, shown, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'ACTIVITY', count(*), array_agg(id), 'SUCCESS'
    FROM found
)
SELECT id, version, deleted, events, first_at, last_at FROM found ORDER BY events DESC, id DESC
