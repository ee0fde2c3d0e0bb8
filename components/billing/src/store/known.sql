SELECT patient_id, status = 'CLOSED'
FROM accounts
WHERE patient_id = ANY ($1::text[]::uuid[])
