WITH found AS (
    SELECT version, registered_date, date_of_birth, created_at, updated_at
    FROM patients
    WHERE id = $5::uuid AND deleted_at IS NULL AND (NOT restricted OR $15::boolean)
),
verdict AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM found) THEN 'NOT_FOUND'
        WHEN EXISTS (
            SELECT FROM found
            WHERE version <> ALL ($7::bigint[]) OR version = ANY ($8::bigint[])
        ) THEN 'STALE'
        WHEN EXISTS (SELECT FROM found WHERE registered_date <> $10::date) THEN 'registeredDate'
        WHEN EXISTS (SELECT FROM found WHERE version <> $11::bigint) THEN 'STALE'
        WHEN EXISTS (SELECT FROM found WHERE created_at <> $12::text::timestamptz) THEN 'createdAt'
        WHEN EXISTS (SELECT FROM found WHERE updated_at <> $13::text::timestamptz) THEN 'STALE'
        WHEN EXISTS (
            SELECT FROM found
            WHERE $9::date > registered_date AND $9::date <> date_of_birth
        ) THEN 'dateOfBirth'
        WHEN EXISTS (
            SELECT FROM patients
            WHERE deleted_at IS NULL AND id <> $5::uuid
                AND (lower(shared_email COLLATE "C") = lower($14::text COLLATE "C")
                    OR lower(email COLLATE "C") = lower($14::text COLLATE "C"))
        ) THEN 'CONFLICT'
        ELSE 'STALE'
    END AS word
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $6::text, $5::uuid,
        CASE WHEN word IN ('NOT_FOUND', 'STALE', 'CONFLICT') THEN word ELSE 'REFUSED' END
    FROM verdict
)
SELECT word FROM verdict
