WITH due AS (
    SELECT patient_id
    FROM billing_due
    WHERE due_at <= now()
    ORDER BY due_at
    LIMIT $1::bigint
    FOR UPDATE SKIP LOCKED
),
taken AS (
    UPDATE billing_due
    SET attempts = attempts + 1,
        due_at = now()
            + least(interval '5 seconds' * power(2, least(attempts, 10)), interval '1 minute')
    FROM due
    WHERE billing_due.patient_id = due.patient_id
    RETURNING billing_due.patient_id, wanted
)
SELECT taken.patient_id, wanted, name, email
FROM taken JOIN patients ON patients.id = taken.patient_id
