-- Which patients are restricted, as of the last version that says so: what is known of them is for
-- those who may see them (docs/roles.md). Who never was restricted has no row. What is counted over
-- all patients counts them, too: a number says nothing of one of them.
CREATE TABLE restricted (
    patient_id uuid    PRIMARY KEY,
    version    bigint  NOT NULL,
    restricted boolean NOT NULL
);

CREATE FUNCTION is_restricted(patient uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM restricted WHERE patient_id = patient AND restricted)
$$;

-- Applies a batch as the function of the same name does that the previous version of the component
-- calls, and what it says of restrictions before that: nobody sees an event of a restricted patient
-- for want of knowing.
CREATE FUNCTION apply_events(
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
        -- A deletion does not say: who was restricted stays so.
        WHERE d.type <> 'PATIENT_DELETED'
        ORDER BY d.patient_id, d.version DESC
    ) last
    WHERE last.restricted
        OR EXISTS (SELECT FROM restricted r WHERE r.patient_id = last.patient_id)
    ON CONFLICT (patient_id) DO UPDATE
    SET version = excluded.version, restricted = excluded.restricted
    WHERE known.version < excluded.version;

    RETURN QUERY SELECT apply_events(ids, patient_ids, versions, types, occurred, names, emails,
        births, registered);
END
$$;
