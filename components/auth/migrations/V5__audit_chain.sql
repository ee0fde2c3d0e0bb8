-- The audit log is chained.

-- Each row's digest is of the row and of the digest before it, so that a row that was changed, taken
-- out or moved is found (`ward audit verify`). Not one chain but many, or every request would wait
-- for the one before: a session writes to the lane of its process. The last of each lane is kept
-- apart, so that a tail that was cut off is missed. Rows from before this have no number.
ALTER TABLE audit_log
    ADD COLUMN chain_lane   integer,
    ADD COLUMN chain_number bigint,
    ADD COLUMN chain_digest bytea;

CREATE TABLE audit_chain (
    lane   integer PRIMARY KEY,
    number bigint  NOT NULL DEFAULT 0,
    digest bytea   NOT NULL DEFAULT ''
) WITH (fillfactor = 50);

-- As its owner: the role that serves writes to the log, and cannot write to the chain. What is hashed
-- is the row as JSON without what is null, so that a column that comes later changes nothing of it,
-- and in UTC, so that it is the same for whoever reads it.
CREATE FUNCTION audit_log_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog SET timezone = 'UTC' AS $$
DECLARE
    own   integer := pg_backend_pid() % 1024;
    entry jsonb;
BEGIN
    NEW.chain_lane := own;
    NEW.chain_number := NULL;
    NEW.chain_digest := NULL;
    entry := jsonb_strip_nulls(to_jsonb(NEW));
    LOOP
        UPDATE public.audit_chain AS c
           SET number = c.number + 1,
               digest = sha256(c.digest || convert_to(
                   (entry || jsonb_build_object('chain_number', c.number + 1))::text, 'UTF8'))
         WHERE c.lane = own
        RETURNING c.number, c.digest INTO NEW.chain_number, NEW.chain_digest;
        EXIT WHEN FOUND;
        INSERT INTO public.audit_chain (lane) VALUES (own) ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_log_chain BEFORE INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_chain();

-- Whoever looks into the log stands in it.
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_action_check,
    ADD CONSTRAINT audit_log_action_check CHECK (action IN (
        'LOGIN', 'REFRESH', 'LOGOUT', 'SESSION_LIST', 'SESSION_END', 'USER_CREATE', 'USER_LIST',
        'USER_READ', 'USER_UPDATE', 'USER_DELETE', 'PROFILE_READ', 'PROFILE_UPDATE',
        'PASSWORD_CHANGE', 'AUDIT'));
