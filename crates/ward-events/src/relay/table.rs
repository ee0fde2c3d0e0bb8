//! The outbox table and the table of its lanes: every statement of the relay's, and the connection
//! they run on. What they have to look like is in `docs/events.md`.
//!
//! A lane is a relay's until a deadline, which it moves while it is well; the server's clock
//! counts.
//! One whose session has ended has nothing any more, so what it had is free at once, and one that
//! stands still has it until the deadline at most.
//!
//! Everything goes through one connection, because the server answers its statements in order: a
//! fetch that was sent after a mark sees the mark.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::event::OutboxRow;
use super::queue::Lane;
use crate::database::{DatabaseError, Link, in_time, own_name};
use crate::limits::{LEASE_MAX, RELAY_REMOVE_ROWS_MAX};

/// How many lanes there are. More than replicas anybody runs, few enough to be one small index.
pub(crate) const LANES: Lane = 16;

/// The lane of a row, as the table's index has it: the last four bits of the aggregate's id, which
/// are random in every kind of UUID that is made today.
const LANE: &str = "(get_byte(uuid_send(aggregate_id), 15) & 15)";

/// Marks need not be on the disk when they are acknowledged: one that a crash of the server loses
/// has its event sent again, and that has the same id.
const SET_UP: &str = "SET synchronous_commit = off; LISTEN outbox";

/// Other wards' relays look at once. For this process's own, see [`Table::tell_others`].
const TELL: &str = "SELECT pg_notify('outbox', $1)";

/// Moves this relay's deadline, and takes free lanes up to its share, which is that of the relays
/// that are there. $1 is this relay, $2 how long it may be silent, $3 how many lanes there are.
/// What is more than the share is given back by the relay itself, once nothing of it is on its way.
const TAKE: &str = "WITH here AS ( \
        INSERT INTO outbox_relay (id, deadline, session_pid, session_start) \
        SELECT $1, now() + make_interval(secs => $2::float8), s.pid, s.backend_start \
        FROM pg_stat_get_activity(pg_backend_pid()) AS s \
        ON CONFLICT (id) DO UPDATE SET deadline = excluded.deadline, \
            session_pid = excluded.session_pid, session_start = excluded.session_start \
    ), alive AS MATERIALIZED ( \
        SELECT r.id FROM outbox_relay AS r WHERE r.id <> $1 AND r.deadline > now() \
            AND EXISTS (SELECT FROM pg_stat_get_activity(r.session_pid) AS s \
                        WHERE s.backend_start = r.session_start) \
    ), share AS MATERIALIZED ( \
        SELECT ceil($3::int::float8 / (1 + count(*)))::int AS lanes FROM alive \
    ), free AS MATERIALIZED ( \
        SELECT l.lane FROM outbox_lane AS l \
        WHERE l.relay IS NULL OR (l.relay <> $1 AND l.relay NOT IN (SELECT id FROM alive)) \
        ORDER BY l.lane \
        LIMIT greatest(0, (SELECT lanes FROM share) \
            - (SELECT count(*) FROM outbox_lane WHERE relay = $1)::int) \
        FOR UPDATE SKIP LOCKED \
    ), taken AS ( \
        UPDATE outbox_lane AS l SET relay = $1 FROM free WHERE l.lane = free.lane \
        RETURNING l.lane \
    ) \
    SELECT lane, (SELECT lanes FROM share) FROM ( \
        SELECT lane FROM outbox_lane WHERE relay = $1 UNION SELECT lane FROM taken) AS own \
    UNION ALL SELECT NULL, (SELECT lanes FROM share)";

const GIVE_BACK: &str = "UPDATE outbox_lane SET relay = NULL WHERE lane = $2 AND relay = $1";

/// Says good-bye, so that others need not wait for the deadline; relays of an hour ago go as well.
const LEAVE: &str = "WITH gone AS (UPDATE outbox_lane SET relay = NULL WHERE relay = $1) \
    DELETE FROM outbox_relay WHERE id = $1 OR deadline < now() - interval '1 hour'";

/// Rows that wait, each lane's in order and up to a limit. Left out are rows that we know, rows of
/// aggregates that we have enough of, and rows behind one that was set aside; those before it may
/// have been sent by a relay that died before it could mark them. It always begins with the first:
/// remembering how far it came would skip a row that became visible late, and with it break the
/// order. What is known is looked up in a hash: NOT IN with a subquery is one in every plan, ALL
/// with an array only where the array is known to the planner.
fn fetch_sql() -> String {
    format!(
        "SELECT l.lane, o.seq, o.id, o.aggregate_id, o.aggregate_version, o.type, o.payload, \
             o.occurred_at, o.traceparent \
         FROM unnest($1::int[]) AS l (lane) CROSS JOIN LATERAL ( \
             SELECT * FROM outbox AS o \
             WHERE published_at IS NULL AND {LANE} = l.lane AND failed_at IS NULL \
                 AND seq NOT IN (SELECT unnest($2::bigint[])) \
                 AND aggregate_id NOT IN (SELECT unnest($3::uuid[])) \
                 AND NOT EXISTS (SELECT FROM outbox AS s WHERE s.aggregate_id = o.aggregate_id \
                     AND s.failed_at IS NOT NULL AND s.published_at IS NULL AND s.seq < o.seq) \
             ORDER BY seq LIMIT $4 \
         ) AS o ORDER BY o.seq"
    )
}

const MARK: &str = "UPDATE outbox SET published_at = now() \
    WHERE id = ANY ($1::uuid[]) AND published_at IS NULL";

const SET_ASIDE: &str = "UPDATE outbox SET failed_at = now(), failure = $2::text \
    WHERE id = $1::uuid AND published_at IS NULL";

const REMOVE: &str = "DELETE FROM outbox WHERE id IN ( \
    SELECT id FROM outbox WHERE published_at < now() - make_interval(secs => $1::float8) \
    ORDER BY published_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED)";

/// What one fetch asks for.
pub(crate) struct Wanted {
    pub(crate) lanes: Vec<Lane>,
    pub(crate) known: Vec<i64>,
    pub(crate) full: Vec<Uuid>,
    pub(crate) rows_per_lane_max: i64,
}

/// What one fetch found.
pub(crate) struct Fetched {
    pub(crate) rows: Vec<(Lane, i64, OutboxRow)>,
    /// Whether a lane had as many as were asked for, so that there may be more.
    pub(crate) more: bool,
}

/// The lanes that are a relay's.
pub(crate) struct Lanes {
    pub(crate) own: BTreeSet<Lane>,
    /// How many it should have.
    pub(crate) share: usize,
    /// Until when they are its own for certain.
    pub(crate) until: Instant,
}

/// The table of one service, through one connection.
#[derive(Clone)]
pub(crate) struct Table {
    link: Arc<Link>,
    /// This relay's name among those that share the lanes.
    relay: Uuid,
    fetch: tokio_postgres::Statement,
    mark: tokio_postgres::Statement,
    take: tokio_postgres::Statement,
}

impl Table {
    /// Takes up a connection.
    pub(crate) async fn open(link: Link, relay: Uuid) -> Result<Table, DatabaseError> {
        link.bound().await?;
        let client = &link.client;
        let open = async {
            client.batch_execute(SET_UP).await?;
            Ok::<_, tokio_postgres::Error>((
                client.prepare(&fetch_sql()).await?,
                client.prepare(MARK).await?,
                client.prepare(TAKE).await?,
            ))
        };
        let (fetch, mark, take) = in_time(open).await?;
        Ok(Table { link: Arc::new(link), relay, fetch, mark, take })
    }

    /// Waits for a notification, which tells that something was committed.
    pub(crate) async fn woken(&self) {
        self.link.woken.notified().await;
    }

    pub(crate) async fn fetch(&self, wanted: Wanted) -> Result<Fetched, DatabaseError> {
        let Wanted { lanes, known, full, rows_per_lane_max } = wanted;
        let client = &self.link.client;
        let values: [&(dyn ToSql + Sync); 4] = [&lanes, &known, &full, &rows_per_lane_max];
        let rows = in_time(client.query(&self.fetch, &values)).await?;
        let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let found = |lane: &Lane| rows.iter().filter(|(own, ..)| own == lane).count();
        let limit = usize::try_from(rows_per_lane_max).unwrap_or(usize::MAX);
        let more = lanes.iter().any(|lane| found(lane) >= limit);
        Ok(Fetched { rows, more })
    }

    pub(crate) async fn mark(&self, ids: Vec<Uuid>) -> Result<(), DatabaseError> {
        in_time(self.link.client.execute(&self.mark, &[&ids])).await.map(|_| ())
    }

    pub(crate) async fn set_aside(&self, id: Uuid, reason: String) -> Result<(), DatabaseError> {
        in_time(self.link.client.execute(SET_ASIDE, &[&id, &reason])).await.map(|_| ())
    }

    /// Removes some of what was published longer ago than `keep`; says how many.
    pub(crate) async fn remove(&self, keep: Duration) -> Result<u64, DatabaseError> {
        let seconds = keep.as_secs_f64();
        in_time(self.link.client.execute(REMOVE, &[&seconds, &RELAY_REMOVE_ROWS_MAX])).await
    }

    /// Says that this relay is there, takes lanes up to its share, and says which it has.
    pub(crate) async fn take(&self) -> Result<Lanes, DatabaseError> {
        let begun = Instant::now();
        let values: [&(dyn ToSql + Sync); 3] = [&self.relay, &LEASE_MAX.as_secs_f64(), &LANES];
        let rows = in_time(self.link.client.query(&self.take, &values)).await?;
        let mut lanes = Lanes { own: BTreeSet::new(), share: 0, until: begun + LEASE_MAX };
        for row in &rows {
            lanes.own.extend(row.try_get::<_, Option<Lane>>(0)?);
            lanes.share = usize::try_from(row.try_get::<_, i32>(1)?).unwrap_or(0);
        }
        Ok(lanes)
    }

    pub(crate) async fn give_back(&self, lane: Lane) -> Result<(), DatabaseError> {
        let values: [&(dyn ToSql + Sync); 2] = [&self.relay, &lane];
        in_time(self.link.client.execute(GIVE_BACK, &values)).await.map(|_| ())
    }

    /// Has no lanes any more.
    pub(crate) async fn leave(&self) -> Result<(), DatabaseError> {
        in_time(self.link.client.execute(LEAVE, &[&self.relay])).await.map(|_| ())
    }

    /// Tells the relays of other wards that there are rows, in their lanes, too.
    pub(crate) async fn tell_others(&self) -> Result<(), DatabaseError> {
        in_time(self.link.client.execute(TELL, &[&own_name()])).await.map(|_| ())
    }
}

fn read(row: &SqlRow) -> Result<(Lane, i64, OutboxRow), tokio_postgres::Error> {
    let outbox = OutboxRow {
        id: row.try_get(2)?,
        aggregate: row.try_get(3)?,
        version: row.try_get(4)?,
        kind: row.try_get(5)?,
        payload: row.try_get(6)?,
        occurred_at: row.try_get::<_, DateTime<Utc>>(7)?,
        traceparent: row.try_get(8)?,
    };
    Ok((row.try_get(0)?, row.try_get(1)?, outbox))
}

#[cfg(test)]
mod tests {
    use tokio_postgres::NoTls;
    use ward_embedded::Postgres;

    use super::fetch_sql;

    /// The table, as the service patients comes to it.
    const MIGRATIONS: [&str; 3] = [
        "CREATE TABLE outbox (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), \
         seq bigint GENERATED ALWAYS AS IDENTITY, aggregate_id uuid NOT NULL, \
         aggregate_version bigint NOT NULL, type text NOT NULL, payload jsonb NOT NULL, \
         occurred_at timestamptz NOT NULL DEFAULT now(), published_at timestamptz); \
         CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;",
        include_str!("../../../../components/patients/migrations/V3__outbox_relay.sql"),
        "INSERT INTO outbox (aggregate_id, aggregate_version, type, payload, published_at) \
         SELECT gen_random_uuid(), 1, 't', '{}', CASE WHEN n % 100 > 0 THEN now() END \
         FROM generate_series(1, 20000) AS n",
    ];

    #[tokio::test]
    async fn the_search_for_rows_uses_its_index() {
        let server = Postgres::ephemeral().await.unwrap();
        let url = server.create_database().await.unwrap();
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        for sql in MIGRATIONS {
            client.batch_execute(sql).await.unwrap();
        }
        let prepare = format!("ANALYZE outbox; PREPARE looked AS {}", fetch_sql());
        client.batch_execute(&prepare).await.unwrap();
        // As it is planned once for all values, which is how the relay has it after a while.
        client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
        let explain = "EXPLAIN EXECUTE looked ('{1,2}', '{}', '{}', 128)";
        let lines = client.query(explain, &[]).await.unwrap();
        let text: String =
            lines.iter().map(|line| format!("{}\n", line.get::<_, String>(0))).collect();
        assert!(text.contains("outbox_unsent"), "{text}");
        assert!(!text.contains("Seq Scan on outbox"), "{text}");
    }
}
