WITH found AS (
    SELECT erased_at FROM patients WHERE id = $6::uuid AND (NOT restricted OR $7::boolean)
),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM found) THEN 'NOT_FOUND'
        WHEN EXISTS (SELECT FROM found WHERE erased_at IS NULL) THEN 'STALE'
        ELSE 'SUCCESS'
    END AS word
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, patient_id, outcome, erasure_reason)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'ERASE', $6::uuid, word,
        CASE word WHEN 'SUCCESS' THEN $8::text END
    FROM verdict
)
SELECT word FROM verdict
