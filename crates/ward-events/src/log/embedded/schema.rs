//! The tables, made where they are missing by whoever connects first.

/// Several wards may start at once, so one makes the tables and the others wait. Everything sent
/// together is one transaction. What is there is not touched: a table grows by statements after it.
pub(super) const SCHEMA: &str = "
SET client_min_messages = warning;
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('ward'), hashtext('event log'));

-- A partition of a topic. `next` is the offset of the next record: appends queue up for this row.
CREATE TABLE IF NOT EXISTS part (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    number int NOT NULL,
    next bigint NOT NULL DEFAULT 0,
    -- How long a record stays.
    keep interval NOT NULL,
    UNIQUE (topic, number)
) WITH (fillfactor = 10);

CREATE TABLE IF NOT EXISTS record (
    part int NOT NULL,
    position bigint NOT NULL,
    at timestamptz NOT NULL,
    key bytea,
    value bytea,
    headers bytea NOT NULL,
    PRIMARY KEY (part, position)
);

-- A consumer of a group that is there, or was until its deadline. The session tells at once when
-- its process has ended.
CREATE TABLE IF NOT EXISTS member (
    id uuid PRIMARY KEY,
    group_name text NOT NULL,
    ward text NOT NULL,
    deadline timestamptz NOT NULL,
    session_pid int NOT NULL,
    session_start timestamptz NOT NULL
);

-- How far a group has come in a partition, and whose it is. The epoch rises with each member that
-- gets it; a position counts only if its epoch does.
CREATE TABLE IF NOT EXISTS lease (
    group_name text NOT NULL,
    part int NOT NULL REFERENCES part,
    position bigint,
    member uuid,
    epoch bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (group_name, part)
) WITH (fillfactor = 50);
COMMIT;
RESET client_min_messages;
";

/// What other wards listen on.
pub(super) const CHANNEL: &str = "ward_events";
