SELECT seq, id, patient_id, version, type, occurred_at AT TIME ZONE 'UTC',
    received_at AT TIME ZONE 'UTC'
FROM events
WHERE seq > $1::bigint AND ($3::boolean OR NOT is_restricted(patient_id))
ORDER BY seq
LIMIT $2::bigint
