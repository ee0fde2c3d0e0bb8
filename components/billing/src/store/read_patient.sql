WITH found AS (
    SELECT id, patient_id, status, balance, currency, version,
        created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
    FROM accounts
    WHERE patient_id = $6::uuid
        AND ($7::boolean OR NOT is_restricted(patient_id))
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, account_id, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'READ', (SELECT id FROM found), $6::uuid,
        CASE WHEN EXISTS (SELECT FROM found) THEN 'SUCCESS' ELSE 'NOT_FOUND' END
)
SELECT id, patient_id, status, balance, currency, version, created, updated
FROM found
