-- Users who may log in, and the record of who did.

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    -- Kept in lower case, so that a plain unique index makes addresses unique whatever their case.
    email         text NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
    -- In PHC form ($argon2id$…), or bcrypt ($2a$, $2b$, $2y$) for users who came from elsewhere
    -- and have not logged in since.
    password_hash text NOT NULL CHECK (password_hash LIKE '$%'),
    -- A further role comes with a further migration, and with what it may do.
    role          text NOT NULL CHECK (role IN ('ADMIN')),
    disabled      boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_email_key UNIQUE (email)
);

CREATE TABLE audit_log (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The user, where one is known: null when nobody has the address that was tried, which is
    -- itself not recorded, because people type passwords into that field.
    actor      uuid,
    role       text,
    action     text NOT NULL CHECK (action IN ('LOGIN')),
    -- The id of the token that was issued.
    target     uuid,
    outcome    text NOT NULL CHECK (outcome IN ('SUCCESS', 'FAILURE')),
    request_id text
);

-- "When did this user log in?" is the one question asked often.
CREATE INDEX audit_log_actor_idx ON audit_log (actor, seq);

-- Append-only: the service's own role owns the table, so a grant could not keep it from changing
-- rows, and a trigger makes that a deliberate act.
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only';
END
$$;

CREATE TRIGGER audit_log_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
