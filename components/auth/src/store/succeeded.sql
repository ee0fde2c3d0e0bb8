-- A login was right: $1 the key of name and address, $2 seconds for which that is remembered.
INSERT INTO login_attempts (key, succeeded_at, matters_until)
VALUES ($1::bytea, now(), now() + $2::bigint * interval '1 second')
ON CONFLICT (key) DO UPDATE
SET level = 0, blocked_until = NULL, succeeded_at = excluded.succeeded_at,
    matters_until = excluded.matters_until
