INSERT INTO restricted AS known (patient_id, version, restricted)
SELECT patient_id, version, restricted
FROM (
    -- Of a patient who comes twice, the last version.
    SELECT DISTINCT ON (patient_id) patient_id, version, restricted
    FROM unnest($1::text[]::uuid[], $2::bigint[], $3::text[]::boolean[])
        AS said (patient_id, version, restricted)
    ORDER BY patient_id, version DESC
) last
-- Who never was restricted has no row.
WHERE restricted OR EXISTS (SELECT FROM restricted r WHERE r.patient_id = last.patient_id)
ON CONFLICT (patient_id) DO UPDATE
SET version = excluded.version, restricted = excluded.restricted
WHERE known.version < excluded.version
