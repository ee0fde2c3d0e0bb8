WITH kept AS (
    SELECT k.request = $7::bytea AS same, k.patient_id, p.created_at,
        -- Whoever asks again may see fewer than before.
        ARRAY(
            SELECT id FROM unnest(k.earlier) WITH ORDINALITY AS earlier (id, at)
            WHERE $8::boolean OR id <> ALL (k.restricted) ORDER BY at
        ) AS earlier,
        -- Who was erased meanwhile has no such date any more.
        coalesce(p.registered_date, (p.created_at AT TIME ZONE 'UTC')::date) AS registered
    FROM idempotency k JOIN patients p ON p.id = k.patient_id
    WHERE k.key = $6::bytea AND k.at >= now() - interval '24 hours'
),
noted AS (
    INSERT INTO audit_log
        (actor, role, token_id, request_id, address, action, patient_id, shown, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'CREATE',
        (SELECT patient_id FROM kept WHERE same),
        (SELECT nullif(earlier, '{}') FROM kept WHERE same),
        CASE
            WHEN NOT EXISTS (SELECT FROM kept) THEN 'CONFLICT'
            WHEN EXISTS (SELECT FROM kept WHERE same) THEN 'REPEATED'
            ELSE 'REFUSED'
        END
)
SELECT same, patient_id, array_to_string(earlier, ','), created_at AT TIME ZONE 'UTC', registered
FROM kept
