-- Users as administrators keep them: with a name, a version for conditional requests, and deleted
-- ones, whom the audit log still names by their ids.

ALTER TABLE users
    -- What others call them; nobody has said it of users from before.
    ADD COLUMN name       text CHECK (length(name) BETWEEN 1 AND 100),
    ADD COLUMN version    bigint NOT NULL DEFAULT 1,
    ADD COLUMN deleted_at timestamptz,
    ADD CONSTRAINT users_deleted_check CHECK (deleted_at IS NULL OR disabled),
    DROP CONSTRAINT users_email_key;

CREATE UNIQUE INDEX users_email_key ON users (email) WHERE deleted_at IS NULL;

-- What a login looks up: lower case, composed, single blanks and none at the ends. Other names could
-- stand in the table and nobody could log in with them.
CREATE FUNCTION login_name(written text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT normalize(btrim(regexp_replace(lower(written), '\s+', ' ', 'g')), NFC)
$$;

-- Of several that are one name, the one that could log in keeps it.
WITH written AS (
    SELECT id, email, login_name(email) AS name, row_number() OVER (
        PARTITION BY login_name(email)
        ORDER BY (email = login_name(email)) DESC, created_at, id) AS place
    FROM users
)
UPDATE users u
SET email = CASE
    WHEN w.place = 1 AND length(w.name) BETWEEN 3 AND 254 THEN w.name
    ELSE u.id || '@unusable.invalid'
END
FROM written w
WHERE w.id = u.id AND (w.place > 1 OR w.name <> w.email);

ALTER TABLE users ADD CONSTRAINT users_email_written_check CHECK (email = login_name(email));

-- Without an administrator nobody could make one. Whoever takes the last but one away waits for
-- whoever takes the last away, and sees it.
CREATE FUNCTION users_keep_an_administrator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('auth'), hashtext('administrators'));
    IF NOT EXISTS (SELECT FROM users WHERE role = 'ADMIN' AND NOT disabled) THEN
        RAISE EXCEPTION 'the last administrator' USING ERRCODE = 'WA001';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER users_keep_an_administrator AFTER UPDATE ON users FOR EACH ROW
    WHEN (OLD.role = 'ADMIN' AND NOT OLD.disabled AND (NEW.role <> 'ADMIN' OR NEW.disabled))
    EXECUTE FUNCTION users_keep_an_administrator();

ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_action_check,
    ADD CONSTRAINT audit_log_action_check
        CHECK (action IN ('LOGIN', 'REFRESH', 'LOGOUT', 'SESSION_LIST', 'SESSION_END',
                          'USER_CREATE', 'USER_LIST', 'USER_READ', 'USER_UPDATE', 'USER_DELETE',
                          'PROFILE_READ', 'PROFILE_UPDATE', 'PASSWORD_CHANGE'));
