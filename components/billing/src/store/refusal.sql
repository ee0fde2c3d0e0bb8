WITH account AS (
    SELECT id, patient_id, status, currency, balance, version
    FROM accounts
    WHERE id = $6::uuid
        AND ($16::boolean OR NOT is_restricted(patient_id))
),
existing AS (
    SELECT id, account_id, kind, amount, currency, description, reverses, balance_after,
        posted_at AT TIME ZONE 'UTC' AS posted, account_version
    FROM entries
    WHERE id = $7::uuid
),
original AS (
    SELECT kind, -amount AS amount
    FROM entries
    WHERE id = $14::uuid AND account_id = $6::uuid
),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM account) THEN 'NO_ACCOUNT'
        WHEN EXISTS (
            SELECT FROM existing
            WHERE account_id = $6::uuid AND kind = $8::text AND description = $11::text
                AND CASE kind
                    WHEN 'REVERSAL' THEN reverses = $14::uuid
                    ELSE amount = $9::bigint AND currency = $10::text
                END
        ) THEN 'REPEATED'
        WHEN EXISTS (SELECT FROM existing) THEN 'ID_USED'
        WHEN $8::text <> 'REVERSAL'
            AND EXISTS (SELECT FROM account WHERE currency <> $10::text) THEN 'CURRENCY'
        WHEN EXISTS (
            SELECT FROM account
            WHERE version <> ALL ($12::bigint[]) OR version = ANY ($15::bigint[])
        ) THEN 'STALE'
        WHEN $8::text = 'REVERSAL' AND NOT EXISTS (SELECT FROM original) THEN 'NO_ENTRY'
        WHEN EXISTS (SELECT FROM original WHERE kind = 'REVERSAL')
            OR EXISTS (SELECT FROM entries WHERE reverses = $14::uuid) THEN 'NOT_REVERSIBLE'
        WHEN $8::text = 'REFUND' AND cash_of($6::uuid) < $9::bigint THEN 'NOT_PAID'
        WHEN EXISTS (SELECT FROM original WHERE kind = 'PAYMENT' AND cash_of($6::uuid) < amount)
            THEN 'GIVEN_BACK'
        WHEN $8::text = 'CHARGE'
            AND EXISTS (SELECT FROM account WHERE status <> 'ACTIVE') THEN 'NOT_ACTIVE'
        WHEN EXISTS (
            SELECT FROM account
            WHERE abs(balance + coalesce($9::bigint, (SELECT amount FROM original))) > $13::bigint
        ) THEN 'LIMIT'
        -- What stood in the way is gone again.
        ELSE 'AGAIN'
    END AS word
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, account_id, patient_id, entry_id,
         outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        CASE $8::text WHEN 'REVERSAL' THEN 'VOID' ELSE $8::text END,
        $6::uuid, (SELECT patient_id FROM account), $7::uuid,
        CASE word
            WHEN 'REPEATED' THEN 'REPEATED'
            WHEN 'NO_ACCOUNT' THEN 'NOT_FOUND'
            WHEN 'NO_ENTRY' THEN 'NOT_FOUND'
            WHEN 'ID_USED' THEN 'CONFLICT'
            WHEN 'STALE' THEN 'STALE'
            ELSE 'REFUSED'
        END
    FROM verdict
)
SELECT word, id, account_id, kind, amount, currency, description, reverses, balance_after, posted,
    account_version
FROM verdict LEFT JOIN existing ON word = 'REPEATED'
