DELETE FROM billing_due
USING unnest($1::text[], $2::text[]) AS heard (patient_id, wanted)
WHERE billing_due.patient_id = heard.patient_id::uuid AND billing_due.wanted = heard.wanted
