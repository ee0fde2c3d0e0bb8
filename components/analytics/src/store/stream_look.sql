SELECT seq, id, patient_id, version, type, occurred_at AT TIME ZONE 'UTC',
    received_at AT TIME ZONE 'UTC'
FROM events
WHERE seq > $1::bigint
ORDER BY seq
LIMIT $2::bigint
