-- Rows stay until somebody removes them who does not serve, and who can do nothing else: the role
-- <database>_prune (`ward audit prune`). What is removed is the beginning of lanes, so that the
-- chain is whole from there on; where that is stands in audit_cuts, and that it was done stands in
-- the log.
CREATE TABLE audit_cuts (
    lane   integer     PRIMARY KEY,
    -- The last row that was removed.
    number bigint      NOT NULL,
    digest bytea       NOT NULL,
    at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_action_check,
    ADD CONSTRAINT audit_log_action_check CHECK (action IN (
        'SUMMARY', 'ACTIVITY', 'TIMELINE', 'EVENTS', 'LAG', 'STREAM', 'REBUILD', 'AUDIT',
        'REFUSED', 'PRUNE')) NOT VALID;

-- Its owner might slip; who serves has no right to try.
CREATE FUNCTION audit_log_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('ward.pruning', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'audit_log only grows; prune_audit removes what is old';
END
$$;

DROP TRIGGER audit_log_append_only ON audit_log;
CREATE TRIGGER audit_log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_stays();

-- Removes what is older, and says how many rows that were: from each lane those before the first
-- that is not, with those that are older than the chain. The row that it leaves has for `times` how
-- many of the chain have ever been removed, so that a cut that nobody told of is found.
CREATE FUNCTION prune_audit(before timestamptz) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog AS $$
DECLARE
    unchained bigint;
    removed   bigint;
BEGIN
    IF before IS NULL OR before >= clock_timestamp() THEN
        RAISE EXCEPTION 'what is not older than now is not old';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ward'), hashtext('prune_audit'));
    PERFORM set_config('ward.pruning', 'on', true);
    DELETE FROM public.audit_log WHERE chain_number IS NULL AND at < before;
    GET DIAGNOSTICS unchained = ROW_COUNT;
    WITH lanes AS (
        SELECT chain_lane AS lane, coalesce(
            min(chain_number) FILTER (WHERE at >= before) - 1, max(chain_number)) AS upto
        FROM public.audit_log WHERE chain_number IS NOT NULL GROUP BY chain_lane
    ), last AS (
        SELECT lane, upto, chain_digest AS digest
        FROM lanes JOIN public.audit_log ON chain_lane = lane AND chain_number = upto
    ), cut AS (
        INSERT INTO public.audit_cuts (lane, number, digest) SELECT lane, upto, digest FROM last
        ON CONFLICT (lane) DO UPDATE
            SET number = excluded.number, digest = excluded.digest, at = excluded.at
    ), gone AS (
        DELETE FROM public.audit_log USING last WHERE chain_lane = lane AND chain_number <= upto
        RETURNING 1
    )
    SELECT count(*) INTO removed FROM gone;
    PERFORM set_config('ward.pruning', 'off', true);
    IF removed + unchained > 0 THEN
        INSERT INTO public.audit_log (role, action, outcome, times)
        SELECT session_user, 'PRUNE', 'SUCCESS', sum(number) FROM public.audit_cuts;
    END IF;
    RETURN removed + unchained;
END
$$;

REVOKE ALL ON FUNCTION prune_audit(timestamptz) FROM PUBLIC;
