//! The statements of a group's members: being there, whose partitions are, how far each has come,
//! and reading them. The database's clock is the one that counts.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use uuid::Uuid;

use super::parts::Part;
use super::store::Store;
use crate::database::{DatabaseError, own_name};
use crate::limits::LEASE_MAX;
use crate::log::{Membership, StartAt};

/// What comes in partitions from positions on, so many of each at most.
pub(super) const READ: &str = "
SELECT r.part, r.position, r.key, r.value, r.headers,
    (extract(epoch FROM r.at) * 1000)::bigint AS at_ms
FROM unnest($1::int[], $2::bigint[]) AS w (part, position)
CROSS JOIN LATERAL (
    SELECT * FROM record WHERE record.part = w.part AND record.position >= w.position
    ORDER BY position LIMIT $3
) AS r";

/// The members of the group $1 who are there. One whose session has ended is not: its process has,
/// or its connection, and what it does after that counts for nothing.
const ALIVE: &str = "
WITH alive AS MATERIALIZED (
    SELECT m.id FROM member AS m WHERE m.group_name = $1 AND m.deadline > now()
        AND EXISTS (SELECT FROM pg_stat_get_activity(m.session_pid) AS s
                    WHERE s.backend_start = m.session_start)
)";

/// A member of a group, by the name it has in the database.
pub(super) struct Identity {
    pub(super) id: Uuid,
    pub(super) membership: Membership,
}

/// A partition that is this member's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) epoch: i64,
    /// Where the group has got to.
    pub(super) position: i64,
}

/// What a look at the group found.
pub(super) struct Seen {
    pub(super) parts: Vec<SeenPart>,
    /// How many members there are, this one among them.
    pub(super) members: usize,
    /// Whether other wards use the log.
    pub(super) others: bool,
}

/// One partition, as a look found it.
pub(super) struct SeenPart {
    pub(super) part: Part,
    /// Where it ends.
    pub(super) end: i64,
    /// The epoch, if it is this member's.
    pub(super) own: Option<i64>,
    pub(super) is_free: bool,
    /// The group has never had it.
    pub(super) is_new: bool,
}

impl Identity {
    /// Says that the member is there, for [`LEASE_MAX`].
    pub(super) async fn beat(&self, store: &Store) -> Result<(), DatabaseError> {
        let sql = "INSERT INTO member (id, group_name, ward, deadline, session_pid, session_start) \
            SELECT $1, $2, $3, now() + make_interval(secs => $4::float8), s.pid, s.backend_start \
            FROM pg_stat_get_activity(pg_backend_pid()) AS s \
            ON CONFLICT (id) DO UPDATE SET deadline = excluded.deadline, \
                session_pid = excluded.session_pid, session_start = excluded.session_start";
        let group = &self.membership.group;
        let (ward, lasts) = (own_name(), LEASE_MAX.as_secs_f64());
        store.query(sql, &[&self.id, group, &ward, &lasts]).await.map(drop)
    }

    /// Looks at the group.
    pub(super) async fn look(&self, store: &Store) -> Result<Seen, DatabaseError> {
        let sql = format!(
            "{ALIVE} SELECT p.id, p.topic, p.number, p.next, \
                CASE WHEN l.member = $2 THEN l.epoch END AS own, \
                coalesce(l.member NOT IN (SELECT id FROM alive), true) AS free, \
                l.part IS NULL AS new, (SELECT count(*) FROM alive) AS members, \
                EXISTS (SELECT FROM member WHERE ward <> $3 AND deadline > now()) AS others \
            FROM part AS p LEFT JOIN lease AS l ON l.group_name = $1 AND l.part = p.id \
            WHERE p.topic = ANY ($4::text[]) ORDER BY p.id"
        );
        let Membership { group, topics, .. } = &self.membership;
        let rows = store.query(&sql, &[group, &self.id, &own_name(), topics]).await?;
        let first = rows.first();
        let members: i64 = first.map_or(Ok(1), |row| row.try_get("members"))?;
        let others = first.map_or(Ok(true), |row| row.try_get("others"))?;
        let parts = rows.iter().map(seen).collect::<Result<_, _>>()?;
        Ok(Seen { parts, members: usize::try_from(members).unwrap_or(1).max(1), others })
    }

    /// Makes the places of partitions that the group never had: at their beginning, or where they
    /// end now.
    pub(super) async fn make(&self, store: &Store) -> Result<(), DatabaseError> {
        let sql = "INSERT INTO lease (group_name, part, position) \
            SELECT $1, id, CASE WHEN $3 THEN next ELSE 0 END FROM part \
            WHERE topic = ANY ($2::text[]) ON CONFLICT DO NOTHING";
        let Membership { group, topics, from } = &self.membership;
        store.query(sql, &[group, topics, &(*from == StartAt::Latest)]).await.map(drop)
    }

    /// Takes so many of these partitions as are still free.
    pub(super) async fn take(
        &self,
        store: &Store,
        parts: &[i32],
        count: usize,
    ) -> Result<BTreeMap<i32, Lease>, DatabaseError> {
        let sql = format!(
            "{ALIVE}, free AS MATERIALIZED ( \
                SELECT l.part FROM lease AS l WHERE l.group_name = $1 AND l.part = ANY ($3::int[]) \
                    AND (l.member IS NULL OR l.member NOT IN (SELECT id FROM alive)) \
                ORDER BY l.part LIMIT $4 FOR UPDATE OF l SKIP LOCKED \
            ) UPDATE lease SET member = $2, epoch = lease.epoch + 1 FROM free \
            WHERE lease.group_name = $1 AND lease.part = free.part \
            RETURNING lease.part, lease.epoch, coalesce(lease.position, 0)"
        );
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let group = &self.membership.group;
        let rows = store.query(&sql, &[group, &self.id, &parts, &count]).await?;
        let lease = |row: &Row| {
            Ok((row.try_get(0)?, Lease { epoch: row.try_get(1)?, position: row.try_get(2)? }))
        };
        rows.iter().map(lease).collect()
    }

    /// Writes down how far partitions have come. Those that are another member's meanwhile are
    /// passed over; says how many were not.
    pub(super) async fn commit(
        &self,
        store: &Store,
        positions: &[(i32, Lease)],
    ) -> Result<usize, DatabaseError> {
        let sql = "UPDATE lease SET position = w.position \
            FROM unnest($3::int[], $4::bigint[], $5::bigint[]) AS w (part, epoch, position) \
            WHERE lease.group_name = $1 AND lease.part = w.part AND lease.member = $2 \
                AND lease.epoch = w.epoch RETURNING lease.part";
        let parts: Vec<i32> = positions.iter().map(|(part, _)| *part).collect();
        let epochs: Vec<i64> = positions.iter().map(|(_, lease)| lease.epoch).collect();
        let at: Vec<i64> = positions.iter().map(|(_, lease)| lease.position).collect();
        let group = &self.membership.group;
        let rows = store.query(sql, &[group, &self.id, &parts, &epochs, &at]).await?;
        Ok(rows.len())
    }

    /// Gives partitions back.
    pub(super) async fn give_back(
        &self,
        store: &Store,
        parts: &[i32],
    ) -> Result<(), DatabaseError> {
        let sql = "UPDATE lease SET member = NULL \
            WHERE group_name = $1 AND member = $2 AND part = ANY ($3::int[])";
        let group = &self.membership.group;
        store.query(sql, &[group, &self.id, &parts]).await.map(drop)
    }

    /// The member is there no more; members that nobody heard of for an hour go with it.
    pub(super) async fn end(&self, store: &Store) -> Result<(), DatabaseError> {
        let sql = "DELETE FROM member WHERE id = $1 OR deadline < now() - interval '1 hour'";
        store.query(sql, &[&self.id]).await.map(drop)
    }
}

fn seen(row: &Row) -> Result<SeenPart, tokio_postgres::Error> {
    let topic: String = row.try_get(1)?;
    Ok(SeenPart {
        part: Part { id: row.try_get(0)?, topic: topic.into(), number: row.try_get(2)? },
        end: row.try_get(3)?,
        own: row.try_get(4)?,
        is_free: row.try_get(5)?,
        is_new: row.try_get(6)?,
    })
}
