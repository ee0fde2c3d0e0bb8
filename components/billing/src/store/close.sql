WITH made AS (
    INSERT INTO accounts (patient_id, status, currency)
    VALUES ($5::uuid, 'CLOSED', $6::text)
    ON CONFLICT (patient_id) DO UPDATE
        SET status = 'CLOSED', version = accounts.version + 1, updated_at = clock_timestamp()
        WHERE accounts.status <> 'CLOSED'
    RETURNING *
),
event AS (
    INSERT INTO outbox (aggregate_id, aggregate_version, type, payload, occurred_at)
    SELECT id, version, 'ACCOUNT_CLOSED', jsonb_build_object(
        'id', id, 'patientId', patient_id, 'status', status, 'currency', currency,
        'balance', balance), updated_at
    FROM made
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, action, account_id, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, 'CLOSE', id, patient_id, 'SUCCESS'
    FROM made
)
SELECT id, patient_id, status, balance, currency, version,
    created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC'
FROM made
