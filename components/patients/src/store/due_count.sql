SELECT count(*) FROM (SELECT FROM billing_due LIMIT 10000) counted
