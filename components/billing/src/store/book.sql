-- The account's lock comes first: of two bookings on one account, the second waits here and then
-- sees the balance and the version that the first one left.
WITH account AS MATERIALIZED (
    SELECT id, patient_id, status, currency, balance, version
    FROM accounts
    WHERE id = $6::uuid
        AND ($16::boolean OR NOT is_restricted(patient_id))
    FOR NO KEY UPDATE
),
made AS (
    INSERT INTO entries
        (id, account_id, account_version, kind, amount, currency, balance_after, description)
    SELECT $7::uuid, id, version + 1, $8::text, $9::bigint, currency, balance + $9::bigint,
        $11::text
    FROM account
    WHERE currency = $10::text
        AND (status = 'ACTIVE' OR $8::text <> 'CHARGE')
        AND ($12::bigint[] IS NULL OR version = ANY ($12::bigint[]))
        AND version <> ALL ($15::bigint[])
        AND abs(balance + $9::bigint) <= $13::bigint
        AND ($8::text <> 'REFUND' OR cash_of(id) >= $9::bigint)
    ON CONFLICT DO NOTHING
    RETURNING *
),
sides AS (
    INSERT INTO postings (entry_id, ledger, amount)
    SELECT id, 'RECEIVABLE', amount FROM made
    UNION ALL
    SELECT id, CASE kind WHEN 'CHARGE' THEN 'REVENUE' ELSE 'CASH' END, -amount FROM made
),
changed AS (
    UPDATE accounts
    SET balance = made.balance_after, version = made.account_version, updated_at = made.posted_at
    FROM made
    WHERE accounts.id = made.account_id
    RETURNING accounts.id, patient_id, status, accounts.currency, balance, version
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT changed.id, changed.version,
        CASE made.kind
            WHEN 'CHARGE' THEN 'CHARGE_POSTED'
            WHEN 'REFUND' THEN 'REFUND_RECORDED'
            ELSE 'PAYMENT_RECORDED'
        END,
        jsonb_build_object(
            'id', changed.id, 'patientId', patient_id, 'status', status,
            'currency', changed.currency, 'balance', balance,
            'entry', jsonb_build_object('id', made.id, 'kind', kind, 'amount', amount)),
        made.posted_at, $14::text
    FROM changed, made
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, account_id, patient_id, entry_id,
         outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        made.kind, account.id, account.patient_id,
        made.id, 'SUCCESS'
    FROM made, account
)
SELECT id, account_id, kind, amount, currency, description, reverses, balance_after,
    posted_at AT TIME ZONE 'UTC', account_version
FROM made
