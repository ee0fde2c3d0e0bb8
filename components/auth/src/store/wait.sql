-- How long a login has to wait: $1 the key of name and address, $2 of the address, $3 seconds for
-- which somebody who has logged in there is known. The address counts for those who are not.
SELECT coalesce(ceil(extract(epoch FROM max(blocked_until) - now())), 0)::bigint AS seconds
FROM login_attempts
WHERE blocked_until > now() AND (key = $1::bytea OR key = $2::bytea AND NOT EXISTS (
    SELECT FROM login_attempts
    WHERE key = $1::bytea AND succeeded_at > now() - $3::bigint * interval '1 second'))
