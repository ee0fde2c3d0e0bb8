//! A look at a topic from outside of any group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::Shared;
use super::group::incoming;
use super::lease::READ;
use super::parts::{self, Part};
use crate::database::DatabaseError;
use crate::limits::READ_RECORDS_MAX;
use crate::log::{Chunk, Ends, ToolError, View};

/// How long a look waits when there is nothing.
const PAUSE: Duration = Duration::from_millis(100);

struct EmbeddedView {
    shared: Arc<Shared>,
    parts: BTreeMap<i32, Part>,
    ends: Ends,
    group: String,
    /// The next offset of each partition, by its number in the database.
    next: BTreeMap<i32, i64>,
}

pub(super) async fn open(
    shared: Arc<Shared>,
    topic: &str,
    group: &str,
) -> Result<Box<dyn View>, ToolError> {
    let failed = |error: DatabaseError| ToolError::log("asking for the topic")(error.0);
    let parts = parts::of_topic(&shared.reading, topic).await.map_err(failed)?;
    if parts.is_empty() {
        return Err(ToolError::NoTopic(topic.to_owned()));
    }
    let parts = parts.into_iter().map(|part| (part.id, part)).collect();
    let mut view = EmbeddedView {
        shared,
        parts,
        ends: Ends::new(),
        group: group.to_owned(),
        next: BTreeMap::new(),
    };
    view.ends = view.find_ends().await.map_err(failed)?;
    Ok(Box::new(view))
}

impl EmbeddedView {
    async fn find_ends(&self) -> Result<Ends, DatabaseError> {
        let sql = "SELECT number, next, coalesce((SELECT position FROM record \
            WHERE record.part = part.id ORDER BY position LIMIT 1), next) \
            FROM part WHERE id = ANY ($1::int[])";
        let rows = self.shared.reading.query(sql, &[&self.ids()]).await?;
        let ends = rows.iter().map(|row| Ok((row.try_get(0)?, (row.try_get(2)?, row.try_get(1)?))));
        ends.collect()
    }

    fn ids(&self) -> Vec<i32> {
        self.parts.keys().copied().collect()
    }

    /// A partition of which nothing came has ended: what follows a gap comes with the rest.
    async fn read(&mut self) -> Result<Chunk, DatabaseError> {
        let (ids, starts): (Vec<i32>, Vec<i64>) = self.next.iter().unzip();
        let rows = self.shared.reading.query(READ, &[&ids, &starts, &READ_RECORDS_MAX]).await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: i32 = row.try_get(0)?;
            let Some(part) = self.parts.get(&id) else { continue };
            let record = incoming(row, part)?;
            self.next.insert(id, record.offset + 1);
            records.push(record);
        }
        let came: BTreeSet<i32> = records.iter().map(|record| record.partition).collect();
        let read = ids.iter().filter_map(|id| Some(self.parts.get(id)?.number));
        let ended = read.filter(|number| !came.contains(number)).collect();
        Ok(Chunk { records, ended })
    }

    async fn positions(&self) -> Result<BTreeMap<i32, i64>, DatabaseError> {
        let sql = "SELECT p.number, l.position FROM lease AS l JOIN part AS p ON p.id = l.part \
            WHERE l.group_name = $1 AND p.id = ANY ($2::int[]) AND l.position IS NOT NULL";
        let rows = self.shared.reading.query(sql, &[&self.group, &self.ids()]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    async fn has_members(&self) -> Result<bool, DatabaseError> {
        let sql = "SELECT FROM member AS m WHERE m.group_name = $1 AND m.deadline > now() \
            AND EXISTS (SELECT FROM pg_stat_get_activity(m.session_pid) AS s \
                        WHERE s.backend_start = m.session_start)";
        Ok(!self.shared.reading.query(sql, &[&self.group]).await?.is_empty())
    }

    /// The epoch rises, so that a member who was thought to be gone commits nothing.
    async fn move_to(&self, positions: &BTreeMap<i32, i64>) -> Result<(), DatabaseError> {
        let sql = "INSERT INTO lease (group_name, part, position) \
            SELECT $1, p.id, w.position \
             FROM unnest($2::int[], $3::bigint[]) AS w (number, position) \
            JOIN part AS p ON p.number = w.number AND p.id = ANY ($4::int[]) \
            ON CONFLICT (group_name, part) DO UPDATE \
            SET position = excluded.position, member = NULL, epoch = lease.epoch + 1";
        let (numbers, at): (Vec<i32>, Vec<i64>) = positions.iter().unzip();
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&self.group, &numbers, &at, &self.ids()];
        self.shared.reading.query(sql, &values).await.map(drop)
    }
}

fn failed(what: &'static str) -> impl FnOnce(DatabaseError) -> ToolError {
    move |error| ToolError::log(what)(error.0)
}

impl View for EmbeddedView {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn begin(&mut self, starts: &BTreeMap<i32, i64>) -> Result<(), ToolError> {
        let start = |part: &Part| Some((part.id, *starts.get(&part.number)?));
        self.next = self.parts.values().filter_map(start).collect();
        Ok(())
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Chunk, ToolError>> {
        Box::pin(async move {
            let chunk = self.read().await.map_err(failed("reading"))?;
            if chunk.records.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(chunk)
        })
    }

    fn committed(&mut self) -> BoxFuture<'_, Result<BTreeMap<i32, i64>, ToolError>> {
        let what = "asking for the group's positions";
        Box::pin(async move { self.positions().await.map_err(failed(what)) })
    }

    fn is_consuming(&mut self) -> BoxFuture<'_, Result<bool, ToolError>> {
        Box::pin(async move { self.has_members().await.map_err(failed("asking for the group")) })
    }

    fn commit(&mut self, positions: BTreeMap<i32, i64>) -> BoxFuture<'_, Result<(), ToolError>> {
        let what = "committing positions";
        Box::pin(async move { self.move_to(&positions).await.map_err(failed(what)) })
    }
}
