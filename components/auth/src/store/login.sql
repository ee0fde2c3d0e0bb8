-- Begins a session: $1 user, $2 role, $3 token, $4 request, $5 session, $6 the hash that was
-- compared, $7 the refresh token's hash, $8 the access token's end, $9 seconds of idleness, $10
-- seconds in all, $11 address. The lock puts this before or after whatever disables the user,
-- changes the role or the password: before, and the session is ended by it; after, and there is
-- nobody left to admit.
WITH admitted AS (
    SELECT id FROM users
    WHERE id = $1::uuid AND role = $2::text AND password_hash = $6::text AND NOT disabled
    FOR SHARE
), session AS (
    INSERT INTO sessions
        (id, user_id, token_hash, access_until, refresh_until, expires_at, address)
    SELECT $5::uuid, id, $7::bytea, to_timestamp($8::bigint),
        now() + $9::bigint * interval '1 second', now() + $10::bigint * interval '1 second',
        $11::text
    FROM admitted
    RETURNING user_id
), noted AS (
    INSERT INTO audit_log (actor, role, action, target, outcome, request_id, address)
    SELECT user_id, $2::text, 'LOGIN', $3::uuid, 'SUCCESS', $4::text, $11::text::inet
    FROM session
)
SELECT user_id FROM session
