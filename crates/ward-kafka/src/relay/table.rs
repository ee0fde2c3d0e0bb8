//! The outbox table: every statement of the relay's, and the connection they run on. What the table
//! has to look like is in `docs/events.md`; `components/patients/migrations` has one.
//!
//! Everything goes through one connection, because the locks that make a lane ours live and die
//! with it, and because the server answers its statements in order: a fetch that was sent after a
//! mark sees the mark.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, poll_fn};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Connection, Row as SqlRow};
use uuid::Uuid;

use super::event::OutboxRow;
use super::queue::Lane;
use crate::limits::{RELAY_REMOVE_ROWS_MAX, STATEMENT_MAX};

/// How many lanes there are. More than replicas anybody runs, few enough to be one small index.
pub(crate) const LANES: Lane = 16;

/// The first half of our advisory locks' names: "outb". The second is the lane, or `PRESENCE`.
const LOCK_CLASS: i32 = 0x6f75_7462;

/// Held by every replica, shared: how many hold it is how many there are.
const PRESENCE: i32 = 1000;

/// The lane of a row, as the table's index has it: the last four bits of the aggregate's id, which
/// are random in every kind of UUID that is made today.
const LANE: &str = "(get_byte(uuid_send(aggregate_id), 15) & 15)";

const LISTEN: &str = "LISTEN outbox";

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

const PRESENT: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
    AND classid = $1::int8::oid AND objid = $2::int8::oid AND objsubid = 2";

/// Why a statement has no result. Never a value from a row: only the server's code is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseError(pub String);

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> DatabaseError {
        DatabaseError(match error.code() {
            Some(code) => format!("SQLSTATE {}", code.code()),
            None => error.to_string(),
        })
    }
}

/// Opens a connection to a service's database, as the service.
pub type Connect = Arc<dyn Fn() -> BoxFuture<'static, Result<Link, DatabaseError>> + Send + Sync>;

/// An open connection, with its notifications.
pub struct Link {
    client: Client,
    woken: Arc<Notify>,
    driver: tokio::task::JoinHandle<()>,
}

impl Link {
    /// Takes over a connection and drives it until the link is dropped or the server ends it.
    pub fn new<S, T>(client: Client, mut connection: Connection<S, T>) -> Link
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let woken = Arc::new(Notify::new());
        let notify = woken.clone();
        let mut next = move |context: &mut Context<'_>| loop {
            match connection.poll_message(context) {
                Poll::Ready(Some(Ok(AsyncMessage::Notification(_)))) => notify.notify_one(),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        };
        let driver = tokio::spawn(poll_fn(move |context| next(context)));
        Link { client, woken, driver }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

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

/// The table of one service, through one connection.
#[derive(Clone)]
pub(crate) struct Table {
    link: Arc<Link>,
    fetch: tokio_postgres::Statement,
    mark: tokio_postgres::Statement,
}

impl Table {
    /// Takes up a connection: present among the replicas, and listening.
    pub(crate) async fn open(link: Link) -> Result<Table, DatabaseError> {
        let client = &link.client;
        let open = async {
            client.batch_execute(LISTEN).await?;
            let present = "SELECT pg_advisory_lock_shared($1, $2)";
            client.execute(present, &[&LOCK_CLASS, &PRESENCE]).await?;
            Ok::<_, tokio_postgres::Error>((
                client.prepare(&fetch_sql()).await?,
                client.prepare(MARK).await?,
            ))
        };
        let (fetch, mark) = in_time(open).await?;
        Ok(Table { link: Arc::new(link), fetch, mark })
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

    /// How many replicas there are, this one among them.
    pub(crate) async fn replicas(&self) -> Result<i64, DatabaseError> {
        let (class, object) = (i64::from(LOCK_CLASS), i64::from(PRESENCE));
        let row = in_time(self.link.client.query_one(PRESENT, &[&class, &object])).await?;
        Ok(row.try_get(0)?)
    }

    /// Tries to take these lanes until `count` are had; says which.
    pub(crate) async fn take(
        &self,
        lanes: Vec<Lane>,
        count: usize,
    ) -> Result<BTreeSet<Lane>, DatabaseError> {
        let mut taken = BTreeSet::new();
        for lane in lanes {
            if taken.len() == count {
                break;
            }
            let sql = "SELECT pg_try_advisory_lock($1, $2)";
            let row = in_time(self.link.client.query_one(sql, &[&LOCK_CLASS, &lane])).await?;
            if row.try_get(0)? {
                taken.insert(lane);
            }
        }
        Ok(taken)
    }

    pub(crate) async fn give_back(&self, lane: Lane) -> Result<(), DatabaseError> {
        let sql = "SELECT pg_advisory_unlock($1, $2)";
        in_time(self.link.client.execute(sql, &[&LOCK_CLASS, &lane])).await.map(|_| ())
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

/// A server that was stopped answers nothing and closes nothing: what takes too long has failed,
/// and so has the connection.
async fn in_time<T>(
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(STATEMENT_MAX, work).await {
        Ok(result) => result.map_err(DatabaseError::from),
        Err(_) => Err(DatabaseError("no answer in time".to_owned())),
    }
}
