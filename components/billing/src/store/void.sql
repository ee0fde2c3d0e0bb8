-- The account's lock comes first, as for every booking.
WITH account AS MATERIALIZED (
    SELECT id, patient_id, currency, balance, version
    FROM accounts
    WHERE id = $6::uuid
        AND ($14::boolean OR NOT is_restricted(patient_id))
    FOR NO KEY UPDATE
),
original AS MATERIALIZED (
    SELECT id, kind, amount
    FROM entries
    WHERE id = $8::uuid AND account_id = $6::uuid AND kind <> 'REVERSAL'
),
made AS (
    INSERT INTO entries
        (id, account_id, account_version, kind, amount, currency, balance_after, description,
         reverses)
    SELECT $7::uuid, account.id, version + 1, 'REVERSAL', -amount, currency, balance - amount,
        $9::text, original.id
    FROM account, original
    WHERE ($10::bigint[] IS NULL OR version = ANY ($10::bigint[]))
        AND version <> ALL ($13::bigint[])
        AND abs(balance - amount) <= $11::bigint
        AND (original.kind <> 'PAYMENT' OR cash_of(account.id) >= -amount)
    ON CONFLICT DO NOTHING
    RETURNING *
),
sides AS (
    INSERT INTO postings (entry_id, ledger, amount)
    SELECT id, 'RECEIVABLE', amount FROM made
    UNION ALL
    SELECT made.id, CASE original.kind WHEN 'CHARGE' THEN 'REVENUE' ELSE 'CASH' END, -made.amount
    FROM made, original
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
    SELECT changed.id, changed.version, 'ENTRY_VOIDED',
        jsonb_build_object(
            'id', changed.id, 'patientId', patient_id, 'status', status,
            'currency', changed.currency, 'balance', balance,
            'entry', jsonb_build_object(
                'id', made.id, 'kind', kind, 'amount', amount, 'reverses', reverses)),
        made.posted_at, $12::text
    FROM changed, made
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, account_id, patient_id, entry_id,
         outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'VOID', account.id, account.patient_id,
        made.id, 'SUCCESS'
    FROM made, account
)
SELECT id, account_id, kind, amount, currency, description, reverses, balance_after,
    posted_at AT TIME ZONE 'UTC', account_version
FROM made
