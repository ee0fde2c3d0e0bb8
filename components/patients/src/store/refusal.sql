WITH found AS (
    SELECT version, registered_date, date_of_birth, created_at, updated_at, restricted
    FROM patients
    WHERE id = $6::uuid AND deleted_at IS NULL AND (NOT restricted OR $17::boolean)
),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM found) THEN 'NOT_FOUND'
        WHEN EXISTS (
            SELECT FROM found
            WHERE version <> ALL ($8::bigint[]) OR version = ANY ($9::bigint[])
        ) THEN 'STALE'
        WHEN EXISTS (SELECT FROM found WHERE registered_date <> $11::date) THEN 'registeredDate'
        WHEN EXISTS (SELECT FROM found WHERE version <> $12::bigint) THEN 'STALE'
        WHEN EXISTS (SELECT FROM found WHERE created_at <> $13::text::timestamptz) THEN 'createdAt'
        WHEN EXISTS (SELECT FROM found WHERE updated_at <> $14::text::timestamptz) THEN 'STALE'
        WHEN EXISTS (SELECT FROM found WHERE restricted <> $15::boolean) THEN 'restricted'
        WHEN EXISTS (
            SELECT FROM found
            WHERE $10::date > registered_date AND $10::date <> date_of_birth
        ) THEN 'dateOfBirth'
        WHEN EXISTS (
            SELECT FROM patients
            WHERE deleted_at IS NULL AND id <> $6::uuid
                AND (lower(shared_email COLLATE "C") = lower($16::text COLLATE "C")
                    OR lower(email COLLATE "C") = lower($16::text COLLATE "C"))
        ) THEN 'CONFLICT'
        ELSE 'STALE'
    END AS word
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, $7::text, $6::uuid,
        CASE WHEN word IN ('NOT_FOUND', 'STALE', 'CONFLICT') THEN word ELSE 'REFUSED' END
    FROM verdict
)
SELECT word FROM verdict
