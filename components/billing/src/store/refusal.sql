WITH account AS (
    SELECT id, patient_id, status, currency, balance, version
    FROM accounts
    WHERE id = $5::uuid
        AND ($15::boolean OR NOT is_restricted(patient_id))
),
existing AS (
    SELECT id, account_id, kind, amount, currency, description, reverses, balance_after,
        posted_at AT TIME ZONE 'UTC' AS posted, account_version
    FROM entries
    WHERE id = $6::uuid
),
original AS (
    SELECT kind, -amount AS amount
    FROM entries
    WHERE id = $13::uuid AND account_id = $5::uuid
),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM account) THEN 'NO_ACCOUNT'
        WHEN EXISTS (
            SELECT FROM existing
            WHERE account_id = $5::uuid AND kind = $7::text AND description = $10::text
                AND CASE kind
                    WHEN 'REVERSAL' THEN reverses = $13::uuid
                    ELSE amount = $8::bigint AND currency = $9::text
                END
        ) THEN 'REPEATED'
        WHEN EXISTS (SELECT FROM existing) THEN 'ID_USED'
        WHEN $7::text <> 'REVERSAL'
            AND EXISTS (SELECT FROM account WHERE currency <> $9::text) THEN 'CURRENCY'
        WHEN EXISTS (
            SELECT FROM account
            WHERE version <> ALL ($11::bigint[]) OR version = ANY ($14::bigint[])
        ) THEN 'STALE'
        WHEN $7::text = 'REVERSAL' AND NOT EXISTS (SELECT FROM original) THEN 'NO_ENTRY'
        WHEN EXISTS (SELECT FROM original WHERE kind = 'REVERSAL')
            OR EXISTS (SELECT FROM entries WHERE reverses = $13::uuid) THEN 'NOT_REVERSIBLE'
        WHEN $7::text = 'REFUND' AND cash_of($5::uuid) < $8::bigint THEN 'NOT_PAID'
        WHEN EXISTS (SELECT FROM original WHERE kind = 'PAYMENT' AND cash_of($5::uuid) < amount)
            THEN 'GIVEN_BACK'
        WHEN $7::text = 'CHARGE'
            AND EXISTS (SELECT FROM account WHERE status <> 'ACTIVE') THEN 'NOT_ACTIVE'
        WHEN EXISTS (
            SELECT FROM account
            WHERE abs(balance + coalesce($8::bigint, (SELECT amount FROM original))) > $12::bigint
        ) THEN 'LIMIT'
        -- What stood in the way is gone again.
        ELSE 'AGAIN'
    END AS word
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, action, account_id, patient_id, entry_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text,
        CASE $7::text WHEN 'REVERSAL' THEN 'VOID' ELSE $7::text END,
        $5::uuid, (SELECT patient_id FROM account), $6::uuid,
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
