-- PostgreSQL lets one transaction at a time commit that notifies, over all databases of a server, so
-- each change waited for all others. Who writes is known to the host, which wakes the relay itself.
DROP TRIGGER outbox_notify ON outbox;
DROP FUNCTION outbox_notify();

-- Who relays: wards, each until its deadline or the end of its session.
CREATE TABLE outbox_relay (
    id uuid PRIMARY KEY,
    deadline timestamptz NOT NULL,
    session_pid int NOT NULL,
    session_start timestamptz NOT NULL
);

-- Whose lanes are. A row's lane is the last four bits of its aggregate's id.
CREATE TABLE outbox_lane (
    lane int PRIMARY KEY,
    relay uuid
);
INSERT INTO outbox_lane (lane) SELECT generate_series(0, 15);
