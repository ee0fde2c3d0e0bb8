-- Changes the caller's own password: $1 to $5 the caller, $6 the old hash, $7 the new one, $8 the
-- session that goes on.
WITH changed AS (
    UPDATE users
    SET password_hash = $7::text, version = version + 1, updated_at = clock_timestamp()
    WHERE id = $1::uuid AND password_hash = $6::text AND NOT disabled
    RETURNING id
), noted AS (
    INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
    SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text::inet,
        'PASSWORD_CHANGE', id, 'SUCCESS' FROM changed
)
SELECT id, end_sessions(id, $8::uuid, 'PASSWORD') AS ended FROM changed
