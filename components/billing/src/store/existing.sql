WITH found AS (
    SELECT id, patient_id, status, balance, currency, version,
        created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
    FROM accounts
    WHERE patient_id = $6::uuid
        AND ($8::boolean OR NOT is_restricted(patient_id))
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, account_id, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        $7::text, (SELECT id FROM found), $6::uuid,
        CASE
            WHEN NOT EXISTS (SELECT FROM found) THEN 'NOT_FOUND'
            WHEN $7::text = 'CLOSE' AND EXISTS (SELECT FROM found WHERE status <> 'CLOSED')
                THEN 'REFUSED'
            ELSE 'REPEATED'
        END
)
SELECT id, patient_id, status, balance, currency, version, created, updated
FROM found
