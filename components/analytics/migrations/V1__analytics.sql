-- The analytics service's tables. Run once, as the service's own role, in its own database.
--
-- Two halves. `events` is the store: what the topic carried, each event once, in the order in which
-- it was applied. Everything below it is projected from it and could be thrown away: `project` is
-- the one place that knows how, for live batches and for a rebuild alike, and what it computes
-- depends on which events are known and not on the order in which they came.

-- ── The event store ─────────────────────────────────────────────────────────────────────────────

CREATE TABLE events (
    -- The event's own id: that it is here is how a repeated delivery is known (the inbox).
    id              uuid        PRIMARY KEY,
    -- In the order of commits, because batches are applied one at a time: whoever has read up to a
    -- number has missed nothing below it.
    seq             bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    patient_id      uuid        NOT NULL,
    version         bigint      NOT NULL CHECK (version > 0),
    type            text        NOT NULL
        CHECK (type IN ('PATIENT_CREATED', 'PATIENT_UPDATED', 'PATIENT_DELETED')),
    occurred_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    -- As the event carried them, until the patient is deleted: then they are erased.
    name            text,
    email           text,
    date_of_birth   date,
    registered_date date,
    -- Two events of one version contradict each other; the first one stands.
    UNIQUE (patient_id, version)
);

CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events only grow';
END
$$;

CREATE TRIGGER events_append_only BEFORE DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_append_only();

-- The one change there is: erasing what a patient is called, and when they were born.
CREATE TRIGGER events_only_erased BEFORE UPDATE ON events FOR EACH ROW
    WHEN ((NEW.name, NEW.email, NEW.date_of_birth, NEW.registered_date)
              IS DISTINCT FROM (NULL::text, NULL::text, NULL::date, NULL::date)
          OR (NEW.id, NEW.seq, NEW.patient_id, NEW.version, NEW.type, NEW.occurred_at,
              NEW.received_at)
              IS DISTINCT FROM (OLD.id, OLD.seq, OLD.patient_id, OLD.version, OLD.type,
              OLD.occurred_at, OLD.received_at))
    EXECUTE FUNCTION events_append_only();

-- ── The projections ─────────────────────────────────────────────────────────────────────────────

-- Which generation of the projections is read and kept up to date. A rebuild makes the next one
-- beside it. Whoever applies a batch holds this row's lock: one batch at a time, which costs
-- nothing (they would meet in `counts` anyway) and gives `events.seq` its order.
CREATE TABLE projection (
    one         boolean     PRIMARY KEY DEFAULT true CHECK (one),
    generation  integer     NOT NULL,
    switched_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO projection (generation) VALUES (1);

-- How far the next generation is. NULL: none is being made.
CREATE TABLE rebuild (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    generation integer,
    upto_seq   bigint  NOT NULL DEFAULT 0
);
INSERT INTO rebuild DEFAULT VALUES;

-- Each patient ever heard of, as of the greatest version known. Deletion is final, whatever comes
-- after it.
CREATE TABLE patients (
    generation    integer     NOT NULL,
    id            uuid        NOT NULL,
    version       bigint      NOT NULL,
    deleted       boolean     NOT NULL,
    -- NULL once deleted.
    date_of_birth date,
    events        bigint      NOT NULL,
    first_at      timestamptz NOT NULL,
    last_at       timestamptz NOT NULL,
    PRIMARY KEY (generation, id)
);

-- For the most active ones. Those with one event are none, and many.
CREATE INDEX patients_by_activity ON patients (generation, events, id) WHERE events > 1;

-- Living patients by date of birth: their number by age is a sum over at most 45,000 rows. Here and
-- in the two tables below, rows are counted up in place: no index has the number in it, and there
-- is room on each page.
CREATE TABLE births (
    generation    integer NOT NULL,
    date_of_birth date    NOT NULL,
    patients      bigint  NOT NULL,
    PRIMARY KEY (generation, date_of_birth)
) WITH (fillfactor = 70);

-- Events by when they happened.
CREATE TABLE counts (
    generation integer     NOT NULL,
    bucket     text        NOT NULL CHECK (bucket IN ('minute', 'hour', 'day')),
    at         timestamptz NOT NULL,
    type       text        NOT NULL,
    events     bigint      NOT NULL,
    PRIMARY KEY (generation, bucket, at, type)
) WITH (fillfactor = 70);

-- From event to analysis: a histogram for each minute of receipt. What took longer than the last
-- bound is counted there.
CREATE TABLE latencies (
    generation integer     NOT NULL,
    minute     timestamptz NOT NULL,
    below_ms   integer     NOT NULL,
    events     bigint      NOT NULL,
    total_ms   bigint      NOT NULL,
    PRIMARY KEY (generation, minute, below_ms)
) WITH (fillfactor = 70);

-- Adds the events of (after_seq, upto_seq] to a generation. The caller sees to it that nobody else
-- adds to the same generation meanwhile. Returns which of the patients concerned are deleted.
CREATE FUNCTION project(for_generation integer, after_seq bigint, upto_seq bigint) RETURNS uuid[]
LANGUAGE plpgsql AS $$
DECLARE
    gone    uuid[];
    left_by date[];
    -- Upper bounds in milliseconds.
    bounds CONSTANT bigint[] := ARRAY[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000,
        60000, 600000, 3600000, 86400000];
BEGIN
    WITH taken AS MATERIALIZED (
        SELECT patient_id, version, type, occurred_at, date_of_birth, received_at,
            greatest(extract(epoch FROM received_at - occurred_at) * 1000, 0)::bigint AS took_ms
        FROM events
        WHERE seq > after_seq AND seq <= upto_seq
    ),
    fresh AS (
        SELECT patient_id, count(*) AS events, max(version) AS version,
            bool_or(type = 'PATIENT_DELETED') AS deleted,
            (array_agg(date_of_birth ORDER BY version DESC))[1] AS date_of_birth,
            min(occurred_at) AS first_at, max(occurred_at) AS last_at
        FROM taken
        GROUP BY patient_id
    ),
    -- Each patient after the events, and when they were born as of before.
    folded AS MATERIALIZED (
        SELECT fresh.patient_id, known.date_of_birth AS was_born,
            greatest(known.version, fresh.version) AS version,
            fresh.deleted OR coalesce(known.deleted, false) AS deleted,
            CASE
                WHEN fresh.deleted OR known.deleted THEN NULL
                WHEN known.version > fresh.version THEN known.date_of_birth
                ELSE fresh.date_of_birth
            END AS date_of_birth,
            fresh.events + coalesce(known.events, 0) AS events,
            least(known.first_at, fresh.first_at) AS first_at,
            greatest(known.last_at, fresh.last_at) AS last_at
        FROM fresh
        -- LIMIT keeps it a look-up for each patient, however many the planner expects.
        LEFT JOIN LATERAL (
            SELECT * FROM patients
            WHERE generation = for_generation AND id = fresh.patient_id LIMIT 1
        ) known ON true
    ),
    kept AS (
        INSERT INTO patients AS p
            (generation, id, version, deleted, date_of_birth, events, first_at, last_at)
        SELECT for_generation, patient_id, version, deleted, date_of_birth, events, first_at,
            last_at
        FROM folded
        ON CONFLICT (generation, id) DO UPDATE
        SET version = excluded.version, deleted = excluded.deleted,
            date_of_birth = excluded.date_of_birth, events = excluded.events,
            first_at = excluded.first_at, last_at = excluded.last_at
    ),
    born AS (
        INSERT INTO births AS b (generation, date_of_birth, patients)
        SELECT for_generation, change.date_of_birth, sum(change.patients)
        FROM (
            SELECT was_born AS date_of_birth, -1 AS patients FROM folded
            UNION ALL
            SELECT date_of_birth, 1 FROM folded
        ) change
        WHERE change.date_of_birth IS NOT NULL
        GROUP BY change.date_of_birth
        HAVING sum(change.patients) <> 0
        ON CONFLICT (generation, date_of_birth) DO UPDATE
        SET patients = b.patients + excluded.patients
    ),
    minutes AS (
        SELECT date_trunc('minute', occurred_at, 'UTC') AS at, type, count(*) AS events
        FROM taken
        GROUP BY 1, 2
    ),
    counted AS (
        INSERT INTO counts AS c (generation, bucket, at, type, events)
        SELECT for_generation, sizes.bucket, date_trunc(sizes.bucket, minutes.at, 'UTC'), type,
            sum(minutes.events)
        FROM minutes CROSS JOIN (VALUES ('minute'), ('hour'), ('day')) AS sizes (bucket)
        GROUP BY 2, 3, 4
        ON CONFLICT (generation, bucket, at, type) DO UPDATE SET events = c.events + excluded.events
    ),
    timed AS (
        INSERT INTO latencies AS l (generation, minute, below_ms, events, total_ms)
        SELECT for_generation, date_trunc('minute', received_at, 'UTC'),
            bounds[least(width_bucket(took_ms, bounds) + 1, cardinality(bounds))], count(*),
            sum(took_ms)
        FROM taken
        GROUP BY 2, 3
        ON CONFLICT (generation, minute, below_ms) DO UPDATE
        SET events = l.events + excluded.events, total_ms = l.total_ms + excluded.total_ms
    )
    SELECT array_agg(patient_id) FILTER (WHERE deleted),
        array_agg(DISTINCT was_born) FILTER (WHERE was_born IS NOT NULL)
    INTO gone, left_by
    FROM folded;

    -- A day on which nobody was born is no row: it would say that somebody once was.
    IF left_by IS NOT NULL THEN
        DELETE FROM births
        WHERE generation = for_generation AND date_of_birth = ANY (left_by) AND patients = 0;
    END IF;
    RETURN gone;
END
$$;

-- Applies a batch: what is not known yet goes into the store and the projections. Returns the ids
-- of events that contradict one that is known: another event of the same patient's same version.
--
-- Each statement in here sees what was committed before it began, so that after the lock there is
-- no older state to be misled by. (One statement with the lock inside would see the state of before
-- it waited.)
CREATE FUNCTION apply_events(
    ids text[], patient_ids text[], versions bigint[], types text[], occurred text[],
    names text[], emails text[], births text[], registered text[]
) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE
    live    integer;
    before  bigint;
    head    bigint;
    applied bigint;
    gone    uuid[];
BEGIN
    SELECT generation INTO STRICT live FROM projection FOR UPDATE;
    SELECT coalesce(max(seq), 0) INTO before FROM events;

    INSERT INTO events (id, patient_id, version, type, occurred_at, received_at, name, email,
        date_of_birth, registered_date)
    SELECT d.id::uuid, d.patient_id::uuid, d.version, d.type, d.occurred_at::timestamptz,
        clock_timestamp(), d.name, d.email, d.date_of_birth::date, d.registered_date::date
    FROM unnest(ids, patient_ids, versions, types, occurred, names, emails, births, registered)
        WITH ORDINALITY AS d (id, patient_id, version, type, occurred_at, name, email,
            date_of_birth, registered_date, place)
    ORDER BY d.place
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS applied = ROW_COUNT;

    IF applied > 0 THEN
        SELECT max(seq) INTO head FROM events;
        gone := project(live, before, head);
        -- Also what comes late of a patient who is gone already.
        IF gone IS NOT NULL THEN
            UPDATE events
            SET name = NULL, email = NULL, date_of_birth = NULL, registered_date = NULL
            WHERE patient_id = ANY (gone)
                AND (name, email, date_of_birth, registered_date)
                    IS DISTINCT FROM (NULL::text, NULL::text, NULL::date, NULL::date);
        END IF;
    END IF;

    IF applied < cardinality(ids) THEN
        RETURN QUERY SELECT DISTINCT d.id::uuid FROM unnest(ids) AS d (id)
            WHERE NOT EXISTS (SELECT FROM events WHERE events.id = d.id::uuid);
    END IF;
END
$$;

-- Removes up to so many rows of each table that belong to generations before the one that is read.
-- Returns how many it removed.
CREATE FUNCTION remove_old_generations(most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    live    integer;
    removed bigint;
    total   bigint := 0;
    place   text;
BEGIN
    SELECT generation INTO STRICT live FROM projection;
    FOREACH place IN ARRAY ARRAY['patients', 'births', 'counts', 'latencies'] LOOP
        EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY('
            'SELECT ctid FROM %1$I WHERE generation < $1 LIMIT $2))', place) USING live, most;
        GET DIAGNOSTICS removed = ROW_COUNT;
        total := total + removed;
    END LOOP;
    RETURN total;
END
$$;

-- One step of a rebuild, over up to so many events. It begins one if none is under way, and goes on
-- where the last step ended, whoever made it. The last step holds up live batches for as long as it
-- takes: no event falls between the generations. Says whether that was it, and how far it got.
CREATE FUNCTION rebuild_step(most bigint, OUT switched boolean, OUT upto bigint, OUT head bigint)
LANGUAGE plpgsql AS $$
DECLARE
    made rebuild;
    live integer;
BEGIN
    SELECT * INTO STRICT made FROM rebuild FOR UPDATE;
    IF made.generation IS NULL THEN
        -- Old generations have lower numbers: rows of theirs that are still there do no harm.
        SELECT generation + 1, 0 INTO STRICT made.generation, made.upto_seq FROM projection;
    END IF;

    SELECT seq INTO upto FROM events WHERE seq > made.upto_seq ORDER BY seq
        OFFSET most - 1 LIMIT 1;
    switched := upto IS NULL;
    IF switched THEN
        SELECT generation INTO STRICT live FROM projection FOR UPDATE;
        SELECT coalesce(max(seq), 0) INTO upto FROM events;
    END IF;
    PERFORM project(made.generation, made.upto_seq, upto);
    IF switched THEN
        UPDATE projection SET generation = made.generation, switched_at = clock_timestamp();
        UPDATE rebuild SET generation = NULL, upto_seq = 0;
    ELSE
        UPDATE rebuild SET generation = made.generation, upto_seq = upto;
    END IF;
    SELECT coalesce(max(seq), 0) INTO head FROM events;
END
$$;

-- ── The audit log ───────────────────────────────────────────────────────────────────────────────

-- Who looked at what, when, and with what outcome. It holds no patient data: ids and counts.
CREATE TABLE audit_log (
    seq        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      uuid,
    role       text,
    token_id   text,
    action     text        NOT NULL CHECK (action IN
        ('SUMMARY', 'ACTIVITY', 'TIMELINE', 'EVENTS', 'LAG', 'STREAM', 'REBUILD')),
    patient_id uuid,
    -- How many rows a listing showed.
    row_count  integer,
    outcome    text        NOT NULL CHECK (outcome IN ('SUCCESS', 'NOT_FOUND', 'DENIED')),
    request_id text
);

CREATE INDEX audit_log_by_patient ON audit_log (patient_id, seq) WHERE patient_id IS NOT NULL;

CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log only grows';
END
$$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only();
