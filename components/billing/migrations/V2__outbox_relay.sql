-- What the relay needs of the outbox, as docs/events.md describes it. It also sends what is here
-- already: every event since the first account.

-- The trace that an event belongs to, as the W3C writes it; sent along as a header.
ALTER TABLE outbox ADD COLUMN traceparent text;

-- An event that can never be sent is set aside with the reason. What follows in its aggregate waits
-- until failed_at is NULL again, or published_at is not.
ALTER TABLE outbox ADD COLUMN failed_at timestamptz;
ALTER TABLE outbox ADD COLUMN failure text;

-- The relay reads what is not sent by lane, which is the last four bits of the aggregate's id, and
-- in order within a lane. Several relays share the lanes; each row is in one.
DROP INDEX outbox_unpublished;
CREATE INDEX outbox_unsent
    ON outbox ((get_byte(uuid_send(aggregate_id), 15) & 15), seq) WHERE published_at IS NULL;

-- The aggregates that wait behind an event that was set aside: nearly always none.
CREATE INDEX outbox_set_aside
    ON outbox (aggregate_id) WHERE failed_at IS NOT NULL AND published_at IS NULL;

-- What was sent is removed after a while, oldest first.
CREATE INDEX outbox_sent ON outbox (published_at) WHERE published_at IS NOT NULL;
