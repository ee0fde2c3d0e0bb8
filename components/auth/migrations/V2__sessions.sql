-- Sessions: what a login begins, refreshes keep going and a logout ends. And the roles that users
-- have beside ADMIN.

ALTER TABLE users
    DROP CONSTRAINT users_role_check,
    ADD CONSTRAINT users_role_check
        CHECK (role IN ('ADMIN', 'DOCTOR', 'NURSE', 'RECEPTIONIST', 'BILLING', 'AUDITOR'));

CREATE TABLE sessions (
    id            uuid PRIMARY KEY,
    user_id       uuid NOT NULL REFERENCES users,
    -- SHA-256 of the refresh token that is good, and of the one that it replaced. A token is 256
    -- random bits, so that nothing slower is needed.
    token_hash    bytea NOT NULL CHECK (length(token_hash) = 32),
    previous_hash bytea CHECK (length(previous_hash) = 32),
    started_at    timestamptz NOT NULL DEFAULT now(),
    refreshed_at  timestamptz NOT NULL DEFAULT now(),
    refreshes     integer NOT NULL DEFAULT 0,
    -- The end of the last access token that was given out.
    access_until  timestamptz NOT NULL,
    -- Until when it may be refreshed if nobody does, and until when whatever happens.
    refresh_until timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    -- The network address it was begun from.
    address       text,
    ended_at      timestamptz,
    end_reason    text CHECK (end_reason IN ('LOGOUT', 'ENDED', 'REUSE', 'USER', 'PASSWORD')),
    -- Whether everybody who verifies tokens has been told of the end: they are told through a
    -- key-value store, which takes no part in this database's transactions. What is not announced
    -- yet is announced by whoever comes next.
    announced     boolean NOT NULL DEFAULT false,
    -- When nothing of it matters any more.
    matters_until timestamptz NOT NULL GENERATED ALWAYS AS (
        CASE WHEN ended_at IS NULL THEN greatest(refresh_until, access_until) ELSE access_until END
    ) STORED,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CHECK (ended_at IS NOT NULL OR NOT announced),
    CONSTRAINT sessions_token_key UNIQUE (token_hash)
);

CREATE INDEX sessions_user_idx ON sessions (user_id);
CREATE INDEX sessions_unannounced_idx ON sessions (ended_at)
    WHERE ended_at IS NOT NULL AND NOT announced;
CREATE INDEX sessions_over_idx ON sessions (matters_until);

-- Refresh tokens that were replaced. Whoever comes with one of them has what somebody else has
-- used, so that one of the two is a thief: the session ends.
CREATE TABLE spent_tokens (
    hash       bytea PRIMARY KEY CHECK (length(hash) = 32),
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE
);

CREATE INDEX spent_tokens_session_idx ON spent_tokens (session_id);

-- Ends a user's sessions, all but one where `besides` is given, and says how many. VOLATILE, and so with a look of its
-- own: a login that had the user's row locked while its caller waited has left a session that the
-- caller's statement does not see.
CREATE FUNCTION end_sessions(whose uuid, besides uuid, why text) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    ended bigint;
BEGIN
    UPDATE sessions SET ended_at = now(), end_reason = why
    WHERE user_id = whose AND ended_at IS NULL AND id IS DISTINCT FROM besides;
    GET DIAGNOSTICS ended = ROW_COUNT;
    RETURN ended;
END
$$;

-- Whoever disables a user or changes a role, by whatever statement, has ended the sessions.
CREATE FUNCTION users_end_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM end_sessions(NEW.id, NULL, 'USER');
    RETURN NULL;
END
$$;

CREATE TRIGGER users_end_sessions AFTER UPDATE ON users FOR EACH ROW
    WHEN (NEW.disabled AND NOT OLD.disabled OR NEW.role <> OLD.role)
    EXECUTE FUNCTION users_end_sessions();

ALTER TABLE audit_log
    -- The id of the token that was presented.
    ADD COLUMN token_id text,
    DROP CONSTRAINT audit_log_action_check,
    ADD CONSTRAINT audit_log_action_check
        CHECK (action IN ('LOGIN', 'REFRESH', 'LOGOUT', 'SESSION_LIST', 'SESSION_END'));

COMMENT ON COLUMN audit_log.target IS
    'LOGIN and REFRESH: the token that was issued; otherwise the session or the user it is about';
