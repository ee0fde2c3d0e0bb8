WITH wished AS (
    -- A patient may come twice; no statement touches a row twice. In one order, so that two
    -- writers wait for each other and never in a circle.
    SELECT DISTINCT ON (patient_id) patient_id, event_id, traceparent
    FROM unnest($6::text[]::uuid[], $7::text[], $8::text[])
        AS wished (patient_id, event_id, traceparent)
    ORDER BY patient_id, event_id
),
made AS (
    INSERT INTO accounts (patient_id, status, currency)
    SELECT patient_id, 'ACTIVE', $9::text FROM wished
    ON CONFLICT (patient_id) DO NOTHING
    RETURNING *
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'ACCOUNT_OPENED', jsonb_build_object(
        'id', id, 'patientId', patient_id, 'status', status, 'currency', currency,
        'balance', balance), updated_at, traceparent
    FROM made JOIN wished USING (patient_id)
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, account_id, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, coalesce($4::text, event_id), $5::text::inet,
        'OPEN', id, patient_id,
        'SUCCESS'
    FROM made JOIN wished USING (patient_id)
)
SELECT id, patient_id, status, balance, currency, version,
    created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC'
FROM made
