//! Topics and their partitions: made where they are missing, found by name, and rid of what is too
//! old. Which partition a key belongs to is Kafka's choice, so that a topic can move between the
//! two logs and keep its order.

use std::collections::HashMap;
use std::sync::Arc;

use super::store::Store;
use crate::database::DatabaseError;
use crate::limits::LOG_REMOVE_RECORDS_MAX;
use crate::log::TopicShape;

/// One partition.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Its number in the database.
    pub(super) id: i32,
    pub(super) topic: Arc<str>,
    /// Its number in the topic.
    pub(super) number: i32,
}

/// Makes the topics that are missing. The number of partitions of one that is there stays: with it
/// keys would change their partition.
pub(super) async fn make(
    store: &Store,
    topics: &[String],
    shape: TopicShape,
) -> Result<(), DatabaseError> {
    let sql = "INSERT INTO part (topic, number, keep) \
        SELECT topic, number, make_interval(secs => $3::float8) \
        FROM unnest($1::text[]) AS topic, generate_series(0, $2::int - 1) AS number \
        WHERE NOT EXISTS (SELECT FROM part WHERE part.topic = topic.topic) \
        ORDER BY topic, number ON CONFLICT DO NOTHING";
    let partitions = i32::try_from(shape.partitions).unwrap_or(i32::MAX);
    store.query(sql, &[&topics, &partitions, &shape.keep.as_secs_f64()]).await?;
    let sql = "UPDATE part SET keep = make_interval(secs => $2::float8) \
        WHERE topic = ANY ($1::text[]) AND keep <> make_interval(secs => $2::float8)";
    store.query(sql, &[&topics, &shape.keep.as_secs_f64()]).await.map(drop)
}

/// The partitions of a topic, in order of their numbers.
pub(super) async fn of_topic(store: &Store, topic: &str) -> Result<Vec<Part>, DatabaseError> {
    let sql = "SELECT id, number FROM part WHERE topic = $1 ORDER BY number";
    let rows = store.query(sql, &[&topic]).await?;
    let name: Arc<str> = topic.into();
    let part = |row: &tokio_postgres::Row| {
        Ok(Part { id: row.try_get(0)?, topic: name.clone(), number: row.try_get(1)? })
    };
    rows.iter().map(part).collect()
}

/// Removes some of the oldest records of each partition, if their time is over.
pub(super) async fn remove_old(store: &Store) -> Result<(), DatabaseError> {
    let sql = "DELETE FROM record USING ( \
            SELECT r.part, r.position FROM part CROSS JOIN LATERAL ( \
                SELECT part, position, at FROM record WHERE record.part = part.id \
                ORDER BY position LIMIT $1 \
            ) AS r WHERE r.at < now() - part.keep \
        ) AS old WHERE record.part = old.part AND record.position = old.position";
    store.query(sql, &[&LOG_REMOVE_RECORDS_MAX]).await.map(drop)
}

/// The partitions of topics as they were last looked up.
#[derive(Debug, Default)]
pub(super) struct Known {
    topics: HashMap<Arc<str>, Vec<Part>>,
    turn: usize,
}

impl Known {
    /// Looks up the topics that are not known yet.
    pub(super) async fn learn(
        &mut self,
        store: &Store,
        topics: impl Iterator<Item = &Arc<str>>,
    ) -> Result<(), DatabaseError> {
        for topic in topics {
            if !self.topics.contains_key(topic) {
                let parts = of_topic(store, topic).await?;
                // One that is not there may be made yet.
                if !parts.is_empty() {
                    self.topics.insert(topic.clone(), parts);
                }
            }
        }
        Ok(())
    }

    /// The partition for a key; records without one take turns. `None` where there is no topic.
    pub(super) fn part(&mut self, topic: &str, key: Option<&[u8]>) -> Option<i32> {
        let parts = self.topics.get(topic)?;
        let chosen = match key {
            Some(key) => usize::try_from(murmur2(key) & 0x7fff_ffff).ok()?,
            None => {
                self.turn = self.turn.wrapping_add(1);
                self.turn
            }
        };
        parts.get(chosen.checked_rem(parts.len())?).map(|part| part.id)
    }
}

/// The hash by which Kafka's clients choose a partition.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let word = word.try_into().map_or(0, u32::from_le_bytes).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (word ^ (word >> 24)).wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let word = rest.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte));
        hash = (hash ^ word).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::murmur2;

    /// What Kafka's own tests expect.
    #[test]
    fn keys_are_hashed_as_kafka_does() {
        for (key, expected) in [
            ("21", -973_932_308i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), expected.cast_unsigned(), "{key}");
        }
    }
}
