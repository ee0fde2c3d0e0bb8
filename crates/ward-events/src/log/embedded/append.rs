//! Appends: one task, one statement at a time with everything that has come meanwhile. The task
//! knows no order but that of its queue, so records of a partition stay in the order in which they
//! were handed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;

use super::forget::{Erasure, forget};
use super::parts::Known;
use super::{Shared, headers};
use crate::database::DatabaseError;
use crate::limits::{APPEND_BYTES_MAX, APPEND_RECORDS_MAX};
use crate::log::{Outgoing, Reply, SendError};

/// Appends to several partitions and says where each ends now: $1 and $2 are partitions and how
/// many records come to each, the others the records, each with its number among those of its
/// partition. The rows of the partitions are taken in order of their numbers, so that two wards
/// never wait for each other in a circle.
pub(super) const APPEND: &str = "
WITH held AS MATERIALIZED (
    SELECT id FROM part WHERE id = ANY ($1::int[]) ORDER BY id FOR UPDATE
), grown AS (
    UPDATE part SET next = part.next + w.count
    FROM unnest($1::int[], $2::bigint[]) AS w (id, count)
    WHERE part.id = w.id AND part.id IN (SELECT id FROM held)
    RETURNING part.id, part.next - w.count AS first, part.next AS next
), written AS (
    INSERT INTO record (part, position, at, key, value, headers)
    SELECT r.part, grown.first + r.number, now(), r.key, r.value, r.headers
    FROM unnest($3::int[], $4::bigint[], $5::bytea[], $6::bytea[], $7::bytea[])
        AS r (part, number, key, value, headers)
    JOIN grown ON grown.id = r.part
)
SELECT id, next FROM grown";

/// A record on its way.
pub(super) struct Appending {
    pub(super) topic: Arc<str>,
    pub(super) record: Outgoing,
    pub(super) reply: Reply,
}

/// Appends what comes, until nobody can send any more.
pub(super) async fn append(shared: Arc<Shared>, mut waiting: mpsc::UnboundedReceiver<Appending>) {
    let (mut known, mut next) = (Known::default(), None);
    loop {
        let Some(first) = take(&mut next, &mut waiting).await else { return };
        let mut batch = vec![first];
        let mut bytes: usize = batch.iter().map(|appending| appending.record.bytes()).sum();
        while batch.len() < APPEND_RECORDS_MAX {
            let Ok(appending) = waiting.try_recv() else { break };
            bytes += appending.record.bytes();
            if bytes > APPEND_BYTES_MAX {
                next = Some(appending);
                break;
            }
            batch.push(appending);
        }
        write(&shared, &mut known, batch).await;
    }
}

async fn take(
    next: &mut Option<Appending>,
    waiting: &mut mpsc::UnboundedReceiver<Appending>,
) -> Option<Appending> {
    match next.take() {
        Some(appending) => Some(appending),
        None => waiting.recv().await,
    }
}

async fn write(shared: &Arc<Shared>, known: &mut Known, batch: Vec<Appending>) {
    let topics = batch.iter().map(|appending| &appending.topic);
    if let Err(error) = known.learn(&shared.writing, topics).await {
        return refuse(shared, batch, &error);
    }
    let mut columns = Columns::default();
    let mut replies = Vec::with_capacity(batch.len());
    for Appending { topic, record, reply } in batch {
        match known.part(&topic, record.key.as_deref()) {
            Some(part) => replies.push((reply, columns.push(part, record))),
            None => reply(Err(SendError::Later(format!("there is no topic {topic}")))),
        }
    }
    if replies.is_empty() {
        return;
    }
    match insert(shared, &columns).await {
        Ok(ends) => {
            shared.health.works();
            let ends_at: BTreeMap<i32, i64> = ends.iter().copied().collect();
            shared.tides.appended(ends);
            for (reply, erased) in replies {
                match erased.and_then(|erased| columns.erasure(&ends_at, erased)) {
                    // Apart, because nothing that is appended after it has to wait for it.
                    Some(erasure) => drop(tokio::spawn(forget(shared.clone(), erasure, reply))),
                    None => reply(Ok(())),
                }
            }
        }
        Err(error) => {
            shared.health.failed(&error.0);
            let failed = || Err(SendError::Later(error.0.clone()));
            replies.into_iter().for_each(|(reply, _)| reply(failed()));
        }
    }
}

fn refuse(shared: &Shared, batch: Vec<Appending>, error: &DatabaseError) {
    shared.health.failed(&error.0);
    for appending in batch {
        (appending.reply)(Err(SendError::Later(error.0.clone())));
    }
}

/// Records as the statement takes them.
#[derive(Default)]
struct Columns {
    counts: BTreeMap<i32, i64>,
    parts: Vec<i32>,
    numbers: Vec<i64>,
    keys: Vec<Option<Vec<u8>>>,
    values: Vec<Option<Vec<u8>>>,
    headers: Vec<Vec<u8>>,
}

/// A record that erases: its partition, its number among those that come to it, and its key.
type Erased = (i32, i64, Vec<u8>);

impl Columns {
    /// Takes a record in; says if it erases.
    fn push(&mut self, part: i32, record: Outgoing) -> Option<Erased> {
        let count = self.counts.entry(part).or_default();
        let number = *count;
        *count += 1;
        self.numbers.push(number);
        let erases = record.erases();
        let erased = record.key.clone().filter(|_| erases).map(|key| (part, number, key));
        self.parts.push(part);
        self.headers.push(headers::write(&record.headers));
        self.keys.push(record.key);
        self.values.push(record.value);
        erased
    }

    /// What a record erases that was appended, by where the partitions end now.
    fn erasure(&self, ends: &BTreeMap<i32, i64>, (part, number, key): Erased) -> Option<Erasure> {
        let before = ends.get(&part)? - self.counts.get(&part)? + number;
        Some(Erasure { part, before, key })
    }
}

async fn insert(shared: &Shared, columns: &Columns) -> Result<Vec<(i32, i64)>, DatabaseError> {
    let (ids, counts): (Vec<i32>, Vec<i64>) = columns.counts.iter().unzip();
    let Columns { parts, numbers, keys, values, headers, .. } = columns;
    let columns: [&(dyn ToSql + Sync); 7] = [&ids, &counts, parts, numbers, keys, values, headers];
    let rows = shared.writing.query(APPEND, &columns).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
