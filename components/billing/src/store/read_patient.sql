WITH found AS (
    SELECT id, patient_id, status, balance, currency, version,
        created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
    FROM accounts
    WHERE patient_id = $5::uuid
        AND ($6::boolean OR NOT is_restricted(patient_id))
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, action, account_id, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'READ', (SELECT id FROM found), $5::uuid,
        CASE WHEN EXISTS (SELECT FROM found) THEN 'SUCCESS' ELSE 'NOT_FOUND' END
)
SELECT id, patient_id, status, balance, currency, version, created, updated
FROM found
