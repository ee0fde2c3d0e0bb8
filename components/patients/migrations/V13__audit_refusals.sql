-- Who is refused leaves a row, too: without a token, with a bad one, or without the scope. A flood
-- of them must not fill the disk, so that above a rate they are counted, and each count becomes one
-- row once its minute is over.
ALTER TABLE audit_log
    -- What was asked for where that was refused, by the name it has in docs/roles.md; null for what
    -- is not there.
    ADD COLUMN operation text,
    -- What was there before kept to a narrower rule, and is not read for this under a lock.
    ADD CONSTRAINT audit_log_operation_check CHECK (length(operation) <= 64) NOT VALID,
    -- For how many the row stands that have none of their own; null where it stands for one.
    ADD COLUMN times bigint,
    ADD CONSTRAINT audit_log_times_check CHECK (times > 0) NOT VALID,
    DROP CONSTRAINT audit_log_action_check,
    ADD CONSTRAINT audit_log_action_check CHECK (action IN (
        'CREATE', 'READ', 'LIST', 'UPDATE', 'DELETE', 'RESTRICT', 'RELEASE', 'AUDIT',
        'REFUSED')) NOT VALID,
    DROP CONSTRAINT audit_log_outcome_check,
    ADD CONSTRAINT audit_log_outcome_check CHECK (outcome IN (
        'SUCCESS', 'NOT_FOUND', 'CONFLICT', 'STALE', 'REFUSED', 'DENIED',
        'NO_TOKEN', 'BAD_TOKEN', 'EXPIRED_TOKEN', 'EARLY_TOKEN', 'ENDED_SESSION', 'FORBIDDEN'))
        NOT VALID;

-- What was refused in the minutes that are not over, and in those that nobody has looked at since.
CREATE TABLE refusals (
    minute  timestamptz NOT NULL,
    -- Of IPv6 the first half, which is what one customer has. Null where nobody knows, and for all
    -- that come after the first hundred kinds of a minute.
    network inet,
    action  text        NOT NULL,
    outcome text        NOT NULL,
    -- Whose token it was, where it was one.
    actor   uuid,
    times   bigint      NOT NULL,
    -- How many of them have rows of their own.
    noted   bigint      NOT NULL DEFAULT 0,
    UNIQUE NULLS NOT DISTINCT (minute, network, action, outcome, actor)
) WITH (fillfactor = 50);

-- Makes rows of the counts whose minute is over. Of several at once each takes other counts.
CREATE FUNCTION sum_refusals() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    WITH over AS (
        DELETE FROM refusals WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM refusals WHERE minute < date_trunc('minute', clock_timestamp())
            LIMIT 1000 FOR UPDATE SKIP LOCKED))
        RETURNING minute, network, action, outcome, actor, times - noted AS beyond
    ), summed AS (
        INSERT INTO audit_log (at, actor, address, action, outcome, times)
        SELECT minute, actor, network, action, outcome, beyond FROM over
        WHERE beyond > 0 ORDER BY minute
        RETURNING times
    )
    SELECT coalesce(sum(times), 0)::bigint FROM summed
$$;

-- Counts what was refused (often is more than one where it was counted before it came here), and
-- gives it a row of its own if it is among the first ten of its kind in this minute; only the
-- first, once there are ten kinds. So a minute leaves some 300 rows at most, however many come and
-- from wherever. Returns how many of the kind there were. Everybody locks the count before the
-- log's chain, so that no two wait for each other.
CREATE FUNCTION note_refusals(
    who uuid, whose_role text, token text, request text, origin inet,
    what text, came_of text, asked text, often bigint
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    this  timestamptz := date_trunc('minute', clock_timestamp());
    place inet := CASE family(origin) WHEN 6 THEN network(set_masklen(origin, 64)) ELSE origin END;
    whom  uuid := who;
    kinds bigint;
    total bigint;
BEGIN
    SELECT count(*) INTO kinds FROM refusals WHERE minute = this;
    IF kinds >= 100 AND NOT EXISTS (
        SELECT FROM refusals
        WHERE minute = this AND network IS NOT DISTINCT FROM place AND action = what
            AND outcome = came_of AND actor IS NOT DISTINCT FROM who
    ) THEN
        place := NULL;
        whom := NULL;
    END IF;
    INSERT INTO refusals AS r (minute, network, action, outcome, actor, times)
    VALUES (this, place, what, came_of, whom, often)
    ON CONFLICT (minute, network, action, outcome, actor)
        DO UPDATE SET times = r.times + excluded.times
    RETURNING times INTO total;
    IF often = 1 AND total <= (CASE WHEN kinds < 10 THEN 10 ELSE 1 END) THEN
        UPDATE refusals SET noted = noted + 1
        WHERE minute = this AND network IS NOT DISTINCT FROM place AND action = what
            AND outcome = came_of AND actor IS NOT DISTINCT FROM whom;
        INSERT INTO audit_log
            (actor, role, token_id, request_id, address, action, outcome, operation)
        VALUES (who, nullif(whose_role, ''), token, request, origin, what, came_of, asked);
    END IF;
    PERFORM sum_refusals();
    RETURN total;
END
$$;
