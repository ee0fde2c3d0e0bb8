-- Patients are erased (docs/erasure.md). For what is kept here that is a deletion: what their
-- events carried goes, and they are counted no more. The event itself is one more that is known. A
-- ward of the previous version passes over it, and so erases nothing: patients are erased once it
-- is gone.
ALTER TABLE events
    DROP CONSTRAINT events_type_check,
    ADD CONSTRAINT events_type_check CHECK (type IN
        ('PATIENT_CREATED', 'PATIENT_UPDATED', 'PATIENT_DELETED', 'PATIENT_ERASED')) NOT VALID;

-- As in V1, but for what makes a patient one who is gone.
CREATE OR REPLACE FUNCTION project(for_generation integer, after_seq bigint, upto_seq bigint)
RETURNS uuid[] LANGUAGE plpgsql AS $$
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
            bool_or(type IN ('PATIENT_DELETED', 'PATIENT_ERASED')) AS deleted,
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

-- As in V4, but for what says nothing of restrictions, and for what is erased besides.
CREATE OR REPLACE FUNCTION apply_events(
    ids text[], patient_ids text[], versions bigint[], types text[], occurred text[],
    names text[], emails text[], births text[], registered text[], restrictions boolean[]
) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO restricted AS known (patient_id, version, restricted)
    SELECT last.patient_id, last.version, last.restricted
    FROM (
        SELECT DISTINCT ON (d.patient_id) d.patient_id::uuid, d.version, d.restricted
        FROM unnest(patient_ids, versions, types, restrictions)
            AS d (patient_id, version, type, restricted)
        -- A deletion and an erasure do not say: who was restricted stays so.
        WHERE d.type NOT IN ('PATIENT_DELETED', 'PATIENT_ERASED')
        ORDER BY d.patient_id, d.version DESC
    ) last
    WHERE last.restricted
        OR EXISTS (SELECT FROM restricted r WHERE r.patient_id = last.patient_id)
    ON CONFLICT (patient_id) DO UPDATE
    SET version = excluded.version, restricted = excluded.restricted
    WHERE known.version < excluded.version;

    RETURN QUERY SELECT apply_events(ids, patient_ids, versions, types, occurred, names, emails,
        births, registered);

    -- Generations that nobody reads any more are removed when there is time, and say it until then.
    IF 'PATIENT_ERASED' = ANY (types) THEN
        UPDATE patients SET date_of_birth = NULL
        WHERE generation < (SELECT generation FROM projection) AND date_of_birth IS NOT NULL
            AND id = ANY (ARRAY(
                SELECT d.patient_id::uuid FROM unnest(patient_ids, types) AS d (patient_id, type)
                WHERE d.type = 'PATIENT_ERASED'));
    END IF;
END
$$;
