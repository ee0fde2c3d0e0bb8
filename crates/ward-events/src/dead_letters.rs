//! Dead letters by hand: which there are, and sending them again, each to the group that it names
//! and once. What was done with a letter stands behind it in the same topic, in marks: that it is
//! about to be sent, and that it has been. A command that ends between the two is found out by the
//! next, which looks for the record on the topic before it sends another. Of commands that run at
//! once one sends a letter: the one whose mark that it begins is the first since they have read the
//! topic. A mark from before that is an interrupted command's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use crate::log::{Ends, Incoming, Log, Outgoing, ToolError, deliver};
use crate::tools::{ReadFrom, Reader};
use crate::trigger::DeadLetter;
use crate::trigger::dead_letter::{header, is_blank, is_value_elsewhere, resent_letter};

/// Whose position says how far letters were sent again before they were marked one by one.
const GROUP: &str = "ward-dead-letters";

/// Marks, and what the first says as well: where its topic ended before, and whose it is.
const BEGUN: &str = "ward-letter-begun";
const ENDS: &str = "ward-letter-ends";
const COMMAND: &str = "ward-letter-command";
const SETTLED: &str = "ward-letter-settled";

/// How long a mark that the log has taken may need until it is read. It is there, so only a log
/// that has gone away takes so long.
const MARK_MAX: Duration = Duration::from_secs(30);

/// A partition and an offset of the letters' topic.
type Place = (i32, i64);

/// Where partitions ended.
type Offsets = BTreeMap<i32, i64>;

/// A record among the dead letters that was not sent again yet.
#[derive(Debug, Clone)]
pub struct Letter {
    /// As it is there.
    pub record: Incoming,
    /// What its headers say; `None` where another tool has put it there.
    pub dead: Option<DeadLetter>,
    /// Where it is: more than once where its trigger ended before it could commit.
    places: Vec<Place>,
    /// Where its topic ended when it was about to be sent.
    begun: Option<Offsets>,
}

impl Letter {
    /// Where it is first, which is what marks call it by.
    fn place(&self) -> Place {
        let own = (self.record.partition, self.record.offset);
        self.places.iter().copied().min().unwrap_or(own)
    }

    /// Whether it is at this partition and offset.
    #[must_use]
    pub fn is_at(&self, partition: i32, offset: i64) -> bool {
        self.places.contains(&(partition, offset))
    }
}

/// What became of a letter that was to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resent {
    /// It was sent, and is settled.
    Sent,
    /// It stays where it is.
    Kept(Kept),
}

/// Why a letter stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It says not where it belongs.
    Foreign,
    /// Its group does not consume its topic here.
    NotConsumed,
    /// Its value was too large to go with it, and without one it would be passed over.
    ValueElsewhere,
    /// Another command has begun with it since this one has read the topic.
    BeingSent,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kept::Foreign => "it has no ward-dead-… headers and is another tool's",
            Kept::NotConsumed => "no trigger here consumes its topic as its group",
            Kept::ValueElsewhere => {
                "its value was too large to go with it; move the group to where it was"
            }
            Kept::BeingSent => "another command is sending it again",
        })
    }
}

/// The letters of one topic.
pub struct DeadLetters<'l> {
    log: &'l dyn Log,
    topic: String,
    letters: Vec<Letter>,
    /// What this command is told from others by.
    command: String,
    /// Has read the topic as far as it was there at the opening, and goes on.
    reader: Reader,
    /// Which command was the first to begin with a letter since then.
    first: BTreeMap<Place, String>,
    /// Where topics ended before anything was sent to them.
    ends: BTreeMap<String, Offsets>,
}

impl<'l> DeadLetters<'l> {
    /// Reads a topic of dead letters to its end.
    pub async fn open(log: &'l dyn Log, topic: &str) -> Result<DeadLetters<'l>, ToolError> {
        let mut reader = Reader::open(log, topic, GROUP).await?;
        let (mut book, mut first) = (Book::default(), BTreeMap::new());
        let ends = reader.ends().clone();
        let each = |record: Incoming| {
            // More may come while this is read; what others have begun by then, they are at.
            match ends.get(&record.partition).is_some_and(|(_, end)| record.offset < *end) {
                true => book.take(record),
                false => note(&mut first, &record),
            }
            ControlFlow::Continue(())
        };
        reader.read(&ReadFrom::Group, false, each).await?;
        let (topic, letters) = (topic.to_owned(), book.letters());
        let command = Uuid::new_v4().to_string();
        Ok(DeadLetters { log, topic, letters, command, reader, first, ends: BTreeMap::new() })
    }

    /// Those that were not sent again.
    #[must_use]
    pub fn letters(&self) -> &[Letter] {
        &self.letters
    }

    /// Sends one to where it came from, for its group. `consumes` says whether a group consumes a
    /// topic.
    pub async fn resend(
        &mut self,
        letter: &Letter,
        consumes: impl Fn(&str, &str) -> bool,
    ) -> Result<Resent, ToolError> {
        let Some(dead) = &letter.dead else { return Ok(Resent::Kept(Kept::Foreign)) };
        if !consumes(&dead.group, &dead.topic) {
            return Ok(Resent::Kept(Kept::NotConsumed));
        }
        if is_value_elsewhere(&letter.record) {
            return Ok(Resent::Kept(Kept::ValueElsewhere));
        }
        let ends = match &letter.begun {
            Some(from) => from.clone(),
            None => self.ends_of(&dead.topic).await?,
        };
        if !self.begin(letter, &ends).await? {
            return Ok(Resent::Kept(Kept::BeingSent));
        }
        if letter.begun.is_none() || !self.is_sent(letter, &dead.topic, &ends).await? {
            let again = dead.again(&letter.record, &name(&self.topic, letter.place()));
            self.send(&dead.topic, &again).await?;
        }
        for place in &letter.places {
            self.mark(letter, [(SETTLED, text(*place))]).await?;
        }
        Ok(Resent::Sent)
    }

    /// Writes down that this command sends it; whether it is the one to do so.
    async fn begin(&mut self, letter: &Letter, ends: &Offsets) -> Result<bool, ToolError> {
        let place = letter.place();
        let begun =
            [(BEGUN, text(place)), (ENDS, text_of_all(ends)), (COMMAND, self.command.clone())];
        self.mark(letter, begun).await?;
        let what = "looking for who else sends dead letters again";
        let first = timeout(MARK_MAX, self.who_is_first(place)).await;
        Ok(first.map_err(ToolError::log(what))?? == self.command)
    }

    /// The command that was the first to begin with the letter at a place, since the opening. There
    /// is one: this.
    async fn who_is_first(&mut self, place: Place) -> Result<String, ToolError> {
        loop {
            if let Some(first) = self.first.get(&place) {
                return Ok(first.clone());
            }
            for record in self.reader.go_on().await? {
                note(&mut self.first, &record);
            }
        }
    }

    /// Whether a command that was interrupted has sent it.
    async fn is_sent(
        &self,
        letter: &Letter,
        topic: &str,
        from: &Offsets,
    ) -> Result<bool, ToolError> {
        let names: BTreeSet<String> =
            letter.places.iter().map(|place| name(&self.topic, *place)).collect();
        let mut reader = Reader::open(self.log, topic, GROUP).await?;
        let start = |(partition, (first, _)): (&i32, &(i64, i64))| {
            (*partition, from.get(partition).map_or(*first, |from| (*from).max(*first)))
        };
        let starts: Offsets = reader.ends().iter().map(start).collect();
        let mut is_sent = false;
        let each = |record: Incoming| {
            is_sent = resent_letter(&record).is_some_and(|own| names.contains(own));
            match is_sent {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        reader.read_on(&starts, false, each).await?;
        Ok(is_sent)
    }

    async fn ends_of(&mut self, topic: &str) -> Result<Offsets, ToolError> {
        if let Some(known) = self.ends.get(topic) {
            return Ok(known.clone());
        }
        let look = self.log.look(topic, GROUP).await?;
        let end = |(partition, (_, end)): (&i32, &(i64, i64))| (*partition, *end);
        let ends: Offsets = Ends::iter(look.ends()).map(end).collect();
        self.ends.insert(topic.to_owned(), ends.clone());
        Ok(ends)
    }

    /// Writes a mark behind a letter. All of one letter have one key, which keeps them in order.
    async fn mark<const N: usize>(
        &self,
        letter: &Letter,
        headers: [(&str, String); N],
    ) -> Result<(), ToolError> {
        let header = |(name, value): (&str, String)| (name.to_owned(), Some(value.into_bytes()));
        let headers = headers.into_iter().map(header).collect();
        let key = letter.record.key.clone().or_else(|| Some(text(letter.place()).into_bytes()));
        let mark = Outgoing { key, value: None, headers };
        self.send(&self.topic, &mark).await
    }

    async fn send(&self, topic: &str, record: &Outgoing) -> Result<(), ToolError> {
        let sent = deliver(self.log, topic, record).await;
        sent.map_err(ToolError::log("sending a dead letter again"))
    }
}

/// What was read so far of a topic of letters and marks.
#[derive(Default)]
struct Book {
    records: Vec<Incoming>,
    begun: BTreeMap<Place, Offsets>,
    settled: BTreeSet<Place>,
}

impl Book {
    fn take(&mut self, record: Incoming) {
        if let Some(begun) = mark(&record, BEGUN) {
            let ends = header(&record, ENDS).unwrap_or_default();
            self.begun.entry(begun).or_insert(ends.split(',').filter_map(read_place).collect());
        } else if let Some(settled) = mark(&record, SETTLED) {
            self.settled.insert(settled);
        } else if !is_blank(&record) {
            self.records.push(record);
        }
    }

    /// What is not settled, and has not come back. Of one record that a group has set aside twice
    /// there is one letter.
    fn letters(self) -> Vec<Letter> {
        let Book { records, mut begun, settled } = self;
        let back = records.iter().filter_map(resent_letter).map(str::to_owned);
        let back: BTreeSet<String> = back.collect();
        let mut letters: Vec<Letter> = Vec::new();
        let mut known = BTreeMap::new();
        for record in records {
            let place = (record.partition, record.offset);
            if settled.contains(&place) || back.contains(&name(&record.topic, place)) {
                continue;
            }
            let dead = DeadLetter::read(&record);
            let own = origin(dead.as_ref(), &record);
            let letter = Letter { record, dead, places: vec![place], begun: begun.remove(&place) };
            let first = *known.entry(own).or_insert(letters.len());
            match letters.get_mut(first) {
                Some(same) => {
                    same.places.push(place);
                    same.begun = same.begun.take().or(letter.begun);
                }
                None => letters.push(letter),
            }
        }
        letters
    }
}

/// The letter that a record is such a mark of.
fn mark(record: &Incoming, name: &str) -> Option<Place> {
    header(record, name).and_then(read_place)
}

/// Notes who was the first to begin with a letter.
fn note(first: &mut BTreeMap<Place, String>, record: &Incoming) {
    if let Some(place) = mark(record, BEGUN) {
        // One without a name is that of an older version's command.
        let command = header(record, COMMAND).unwrap_or_default();
        first.entry(place).or_insert_with(|| command.to_owned());
    }
}

/// What two letters have in common that are about one record: who set it aside, and which letter it
/// was before or else where it was.
fn origin(dead: Option<&DeadLetter>, record: &Incoming) -> (String, String, Place) {
    let own = (record.partition, record.offset);
    match (dead, resent_letter(record)) {
        (Some(dead), Some(letter)) => (dead.group.clone(), letter.to_owned(), (0, 0)),
        (Some(dead), None) => {
            (dead.group.clone(), dead.topic.clone(), (dead.partition, dead.offset))
        }
        (None, _) => (String::new(), String::new(), own),
    }
}

/// What a letter is known by on the topic that it came from.
fn name(topic: &str, place: Place) -> String {
    format!("{topic}:{}", text(place))
}

fn text((partition, offset): Place) -> String {
    format!("{partition}:{offset}")
}

fn text_of_all(offsets: &Offsets) -> String {
    let all: Vec<String> = offsets.iter().map(|(own, at)| text((*own, *at))).collect();
    all.join(",")
}

fn read_place(text: &str) -> Option<Place> {
    let (partition, offset) = text.split_once(':')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{BEGUN, Book, ENDS, SETTLED};
    use crate::log::{Headers, Incoming};
    use crate::trigger::DeadLetter;

    /// A letter of what was at this offset of the partition 3.
    fn letter(group: &str, of: i64) -> Headers {
        let dead = DeadLetter {
            reason: "no".to_owned(),
            component: "shop".to_owned(),
            revision: "abc".to_owned(),
            group: group.to_owned(),
            topic: "order".to_owned(),
            partition: 3,
            offset: of,
            attempts: 1,
            at: DeadLetter::now(),
        };
        dead.wrap(&record(0, Headers::new())).headers
    }

    fn record(offset: i64, headers: Headers) -> Incoming {
        let topic = Arc::from("order.dead-letter");
        Incoming {
            topic,
            partition: 0,
            offset,
            key: None,
            value: None,
            headers,
            timestamp_ms: None,
        }
    }

    fn header(name: &str, value: &str) -> (String, Option<Vec<u8>>) {
        (name.to_owned(), Some(value.as_bytes().to_vec()))
    }

    /// The offsets of the letters that are left of these records.
    fn check(records: &[Headers], expected: &[i64]) -> Vec<super::Letter> {
        let mut book = Book::default();
        (0..).zip(records).for_each(|(at, headers)| book.take(record(at, headers.clone())));
        let letters = book.letters();
        let left: Vec<i64> = letters.iter().map(|letter| letter.record.offset).collect();
        assert_eq!(left, expected);
        letters
    }

    #[test]
    fn what_is_settled_or_has_come_back_is_no_letter() {
        let mark = |name: &str, value: &str| vec![header(name, value)];
        check(&[letter("g", 1), letter("g", 2), mark(SETTLED, "0:0")], &[1]);
        let again = [letter("g", 7), vec![header("ward-resent-letter", "order.dead-letter:0:0")]];
        check(&[letter("g", 1), again.concat()], &[1]);
        // What is no mark of ours is somebody's letter.
        check(&[mark(SETTLED, "nonsense"), mark("error", "x")], &[0, 1]);
    }

    #[test]
    fn one_record_has_one_letter_of_each_group() {
        let begun = vec![header(BEGUN, "0:2"), header(ENDS, "0:12,3:40")];
        let records = [letter("g", 1), letter("h", 1), letter("g", 1), letter("g", 2), begun];
        let letters = check(&records, &[0, 1, 3]);
        assert!(letters[0].is_at(0, 0) && letters[0].is_at(0, 2));
        assert_eq!(letters[0].begun, Some([(0, 12), (3, 40)].into()));
    }
}
