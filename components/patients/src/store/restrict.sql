WITH found AS (
    SELECT id, version, restricted = $7::boolean
        AND ($9::bigint[] IS NULL OR version = ANY ($9::bigint[]))
        AND version <> ALL ($10::bigint[]) AS is_so
    FROM patients WHERE id = $6::uuid AND deleted_at IS NULL
),
changed AS (
    UPDATE patients
    SET restricted = $7::boolean, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $6::uuid AND deleted_at IS NULL AND restricted <> $7::boolean
        AND ($9::bigint[] IS NULL OR version = ANY ($9::bigint[]))
        AND version <> ALL ($10::bigint[])
    RETURNING *
),
event AS (
    INSERT INTO outbox
        (aggregate_id, aggregate_version, type, payload, occurred_at, traceparent)
    SELECT id, version, 'PATIENT_UPDATED', jsonb_build_object(
        'id', id, 'name', name, 'email', coalesce(email, shared_email, ''), 'address', address,
        'dateOfBirth', date_of_birth, 'registeredDate', registered_date, 'restricted', restricted),
        updated_at, $8::text
    FROM changed
),
-- Nothing was changed, and it was not so before: another change came first, or the version is none
-- of those that were wanted.
verdict AS (
    SELECT version, false AS is_stale FROM changed
    UNION ALL
    SELECT version, NOT is_so FROM found WHERE NOT EXISTS (SELECT FROM changed)
),
noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, patient_id, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        CASE WHEN $7::boolean THEN 'RESTRICT' ELSE 'RELEASE' END, $6::uuid,
        coalesce((SELECT CASE WHEN is_stale THEN 'STALE' ELSE 'SUCCESS' END FROM verdict),
            'NOT_FOUND')
)
SELECT version, is_stale FROM verdict
