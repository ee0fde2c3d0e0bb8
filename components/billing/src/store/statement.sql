-- The inner limit is a constant so that the planner knows how little is wanted.
WITH account AS MATERIALIZED (
    SELECT id, patient_id, status, balance, currency, version,
        created_at AT TIME ZONE 'UTC' AS created, updated_at AT TIME ZONE 'UTC' AS updated
    FROM accounts
    WHERE id = $6::uuid
        AND ($9::boolean OR NOT is_restricted(patient_id))
),
page AS MATERIALIZED (
    SELECT * FROM (
        SELECT id, account_id, kind, amount, currency, description, reverses, balance_after,
            posted_at AT TIME ZONE 'UTC' AS posted, account_version
        FROM entries
        WHERE account_id = $6::uuid AND account_version > $8::bigint
        ORDER BY account_version LIMIT 501
    ) ordered
    LIMIT $7::bigint
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, account_id, patient_id, row_count,
         outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'STATEMENT', $6::uuid,
        (SELECT patient_id FROM account), least(count(*), $7::bigint - 1),
        CASE WHEN EXISTS (SELECT FROM account) THEN 'SUCCESS' ELSE 'NOT_FOUND' END
    FROM page
)
SELECT account.id, account.patient_id, account.status, account.balance, account.currency,
    account.version, account.created, account.updated,
    page.id, page.account_id, page.kind, page.amount, page.currency, page.description,
    page.reverses, page.balance_after, page.posted, page.account_version
FROM account LEFT JOIN page ON true
ORDER BY page.account_version
