//! What people do with topics and groups by hand: read, send, move a group, look at dead letters.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::log::{Chunk, Ends, Incoming, Log, ToolError, View};

/// A place to read from, or to move a group to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFrom {
    /// The oldest record.
    Earliest,
    /// What comes next.
    Latest,
    /// The first record of this time or later, in milliseconds since 1970.
    Time(i64),
    /// Where the reader's group is; the oldest record where it has not been.
    Group,
}

/// Reads a topic without joining a group.
pub struct Reader {
    view: Box<dyn View>,
    group: String,
}

impl Reader {
    /// Looks at a topic. `group` is whose positions are read or written.
    pub async fn open(log: &dyn Log, topic: &str, group: &str) -> Result<Reader, ToolError> {
        Ok(Reader { view: log.look(topic, group).await?, group: group.to_owned() })
    }

    /// Hands each record from a place on to `each`, until that says to stop or, without `follow`,
    /// everything that was there at the start has been read.
    pub async fn read(
        &mut self,
        from: &ReadFrom,
        follow: bool,
        each: impl FnMut(Incoming) -> ControlFlow<()>,
    ) -> Result<(), ToolError> {
        let starts = self.offsets(from).await?;
        self.read_on(&starts, follow, each).await
    }

    /// Where the partitions began and ended when the topic was opened.
    pub(crate) fn ends(&self) -> &Ends {
        self.view.ends()
    }

    /// The same from these offsets on.
    pub(crate) async fn read_on(
        &mut self,
        starts: &BTreeMap<i32, i64>,
        follow: bool,
        mut each: impl FnMut(Incoming) -> ControlFlow<()>,
    ) -> Result<(), ToolError> {
        let ends = self.view.ends();
        let open = |(partition, start): (&i32, &i64)| {
            let (_, end) = ends.get(partition)?;
            (start < end).then_some((*partition, *end))
        };
        let mut left: BTreeMap<i32, i64> = starts.iter().filter_map(open).collect();
        self.view.begin(starts)?;
        while follow || !left.is_empty() {
            let Chunk { records, ended } = self.view.next().await?;
            for record in records {
                if left.get(&record.partition).is_some_and(|end| record.offset + 1 >= *end) {
                    left.remove(&record.partition);
                }
                if each(record).is_break() {
                    return Ok(());
                }
            }
            left.retain(|partition, _| !ended.contains(partition));
        }
        Ok(())
    }

    /// What comes next behind what was read, whatever was there at the start.
    pub(crate) async fn go_on(&mut self) -> Result<Vec<Incoming>, ToolError> {
        Ok(self.view.next().await?.records)
    }

    /// The offset of a place in each partition.
    pub async fn offsets(&mut self, place: &ReadFrom) -> Result<BTreeMap<i32, i64>, ToolError> {
        let ends = self.view.ends().iter();
        match place {
            ReadFrom::Earliest => {
                Ok(ends.map(|(partition, (first, _))| (*partition, *first)).collect())
            }
            ReadFrom::Latest => Ok(ends.map(|(partition, (_, end))| (*partition, *end)).collect()),
            ReadFrom::Time(at_ms) => self.offsets_of_time(*at_ms).await,
            ReadFrom::Group => self.committed().await,
        }
    }

    /// Found by reading, because not every log's index of times can be relied on.
    async fn offsets_of_time(&mut self, at_ms: i64) -> Result<BTreeMap<i32, i64>, ToolError> {
        let ends = self.view.ends().clone();
        let starts = ends.iter().map(|(partition, (first, _))| (*partition, *first)).collect();
        let mut offsets: BTreeMap<i32, i64> =
            ends.iter().map(|(partition, (_, end))| (*partition, *end)).collect();
        let mut found = BTreeSet::new();
        self.read_on(&starts, false, |record| {
            if record.timestamp_ms.is_some_and(|own| own >= at_ms) && found.insert(record.partition)
            {
                offsets.insert(record.partition, record.offset);
            }
            match found.len() == ends.len() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
        .await?;
        Ok(offsets)
    }

    async fn committed(&mut self) -> Result<BTreeMap<i32, i64>, ToolError> {
        let committed = self.view.committed().await?;
        let ends = self.view.ends().iter();
        let position = |(partition, (first, _)): (&i32, &(i64, i64))| {
            let own = committed.get(partition).map_or(*first, |own| (*own).max(*first));
            (*partition, own)
        };
        Ok(ends.map(position).collect())
    }

    /// Moves the group that was named at the start. Refused while it consumes.
    pub async fn move_group(&mut self, place: &ReadFrom) -> Result<BTreeMap<i32, i64>, ToolError> {
        if self.view.is_consuming().await? {
            return Err(ToolError::GroupIsActive(self.group.clone()));
        }
        let offsets = self.offsets(place).await?;
        self.commit(offsets.clone()).await?;
        Ok(offsets)
    }

    /// Commits positions for the group that was named at the start.
    pub async fn commit(&mut self, offsets: BTreeMap<i32, i64>) -> Result<(), ToolError> {
        self.view.commit(offsets).await
    }
}
