-- Which patients are restricted, as of the last version that says so: their accounts are for those
-- who may see them (docs/roles.md). Who never was restricted has no row.
CREATE TABLE restricted (
    patient_id uuid    PRIMARY KEY,
    version    bigint  NOT NULL,
    restricted boolean NOT NULL
);

CREATE FUNCTION is_restricted(patient uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM restricted WHERE patient_id = patient AND restricted)
$$;
