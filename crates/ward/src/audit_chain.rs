//! Whether an audit log is as it was written: each row's digest is of the row and of the digest
//! before it in its lane, and the last of each lane is kept apart; so is the last one that was
//! removed in order, after which a lane begins. Here are the rules, and no I/O.
//! They cannot see what somebody did who rewrote log and chain alike, but by heads that were kept
//! elsewhere ([`Kept`]): a log that goes on from where it was has all of them.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

/// The end of a lane, as it is kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Which lane.
    pub(crate) lane: i32,
    /// The number of its last row.
    pub(crate) number: i64,
    /// The digest of its last row.
    pub(crate) digest: Vec<u8>,
}

/// As it is printed, and kept.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.lane, self.number)?;
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Head {
    /// Of three words as they are printed.
    fn of<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (lane, number) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let digest = words.next().filter(|text| text.is_ascii() && text.len() == 64)?;
        let byte = |at: usize| u8::from_str_radix(digest.get(at..at + 2)?, 16).ok();
        let digest = (0..64).step_by(2).map(byte).collect::<Option<_>>()?;
        words.next().is_none().then_some(Self { lane, number, digest })
    }
}

/// What a line with a head begins with.
const HEAD: &str = "head";

/// The line that is kept of a head of this log.
pub(crate) fn line(log: &str, head: &Head) -> String {
    format!("{HEAD} {log} {head}\n")
}

/// Heads that were kept of a log, by lane and number.
pub(crate) type Kept = BTreeMap<(i32, i64), Vec<u8>>;

/// The heads of each log in a text that [`line`]s are in, among others; or the first line that
/// should be one.
pub(crate) fn kept(text: &str) -> Result<BTreeMap<String, Kept>, usize> {
    let mut all = BTreeMap::<String, Kept>::new();
    for (at, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace();
        if words.next() == Some(HEAD) {
            let log = words.next().ok_or(at + 1)?;
            let head = Head::of(words).ok_or(at + 1)?;
            let heads = all.entry(log.to_owned()).or_default();
            heads.insert((head.lane, head.number), head.digest);
        }
    }
    Ok(all)
}

/// A row of the log, as far as the chain knows it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// By which people know it.
    pub(crate) seq: i64,
    /// Where it is in the chain, and its digest, as the row says.
    pub(crate) place: Head,
    /// What the digest is of: the row as JSON, without the digest.
    pub(crate) text: String,
}

/// What is wrong, at the first row where anything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The row is not what was written.
    Changed { seq: i64 },
    /// Before this row, rows are missing, or it does not belong here.
    Moved { seq: i64 },
    /// The last rows of a lane are missing: so many.
    Cut { lane: i32, rows: i64 },
    /// A lane has rows, or its last ones, that the chain does not know.
    Unknown { lane: i32 },
    /// The row has no number, and is younger than some that have.
    Unchained { seq: i64 },
    /// So many rows were removed as if in order, and the log tells of so many.
    Removed { cut: i64, told: i64 },
    /// The row is in the chain, and another was there when it was kept.
    Other { lane: i32, number: i64 },
    /// A row that was kept is not there.
    Gone { lane: i32, number: i64 },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { seq } => write!(f, "the row with seq {seq} was changed"),
            Self::Moved { seq } => {
                write!(f, "rows before the one with seq {seq} were removed, or it was moved")
            }
            Self::Cut { lane, rows } => {
                write!(f, "the last {rows} rows of lane {lane} were removed")
            }
            Self::Unknown { lane } => write!(f, "lane {lane} has rows that nothing tells of"),
            Self::Unchained { seq } => {
                write!(f, "the row with seq {seq} was put in beside the chain")
            }
            Self::Removed { cut, told } => {
                write!(f, "{cut} old rows were removed, and the log tells of {told}")
            }
            Self::Other { lane, number } => {
                write!(f, "row {number} of lane {lane} is another than when it was kept")
            }
            Self::Gone { lane, number } => {
                write!(f, "row {number} of lane {lane}, which was kept, is not there")
            }
        }
    }
}

/// What a log that is whole consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Rows that are in the chain.
    pub(crate) rows: u64,
    /// Rows that were removed from it in order.
    pub(crate) removed: i64,
    /// Over the ends of all lanes: it changes with every row.
    pub(crate) digest: String,
    /// The ends of all lanes.
    pub(crate) heads: Vec<Head>,
    /// How many of the heads that were kept are there.
    pub(crate) found: usize,
    /// How many of them were removed in order with what was before them.
    pub(crate) outdated: usize,
}

/// Goes over the rows, in order of their lanes and numbers.
pub(crate) struct Walk {
    heads: Vec<Head>,
    /// After which row each lane begins from whose beginning rows were removed in order.
    cuts: BTreeMap<i32, Head>,
    /// Lanes that are done.
    done: usize,
    /// The row before.
    last: Option<Head>,
    rows: u64,
    /// What was kept and is not found yet.
    kept: Kept,
    found: usize,
}

impl Walk {
    /// `heads` are in order of their lanes; `cuts` are the last rows that were removed in order;
    /// `kept` is what has to be there.
    pub(crate) fn new(heads: Vec<Head>, cuts: Vec<Head>, kept: Kept) -> Self {
        let cuts = cuts.into_iter().map(|cut| (cut.lane, cut)).collect();
        Self { heads, cuts, done: 0, last: None, rows: 0, kept, found: 0 }
    }

    /// Takes the next row.
    pub(crate) fn take(&mut self, entry: Entry) -> Result<(), Broken> {
        let Entry { seq, place, text } = entry;
        if self.last.as_ref().is_some_and(|last| last.lane != place.lane) {
            self.end_lane()?;
        }
        let (number, before) = match self.last.as_ref().or_else(|| self.cuts.get(&place.lane)) {
            Some(last) => (last.number, last.digest.as_slice()),
            None => (0, [].as_slice()),
        };
        if place.number != number + 1 {
            return Err(Broken::Moved { seq });
        }
        let digest = Sha256::new().chain_update(before).chain_update(&text).finalize();
        if digest.as_slice() != place.digest {
            return Err(Broken::Changed { seq });
        }
        self.find(&place)?;
        self.last = Some(place);
        self.rows += 1;
        Ok(())
    }

    /// All rows were taken; `told` says how many have ever been removed in order.
    pub(crate) fn end(mut self, told: i64) -> Result<Whole, Broken> {
        self.end_lane()?;
        let mut digest = Sha256::new();
        for head in &self.heads {
            digest.update(head.lane.to_be_bytes());
            digest.update(&head.digest);
        }
        // Lanes after the last row's have none left, or their rows are missing.
        self.heads.iter().skip(self.done).try_for_each(|head| self.has_none_left(head))?;
        let cut = self.cuts.values().map(|cut| cut.number).sum();
        if cut != told {
            return Err(Broken::Removed { cut, told });
        }
        let cuts = std::mem::take(&mut self.cuts);
        cuts.values().try_for_each(|cut| self.find(cut))?;
        let outdated = self.kept.len();
        for (lane, number) in self.kept.into_keys() {
            if cuts.get(&lane).is_none_or(|cut| cut.number < number) {
                return Err(Broken::Gone { lane, number });
            }
        }
        Ok(Whole {
            rows: self.rows,
            removed: cut,
            digest: format!("{:x}", digest.finalize()),
            heads: self.heads,
            found: self.found,
            outdated,
        })
    }

    /// Whether a row is the one that was kept, if one was.
    fn find(&mut self, place: &Head) -> Result<(), Broken> {
        let (lane, number) = (place.lane, place.number);
        let Some(kept) = self.kept.remove(&(lane, number)) else { return Ok(()) };
        self.found += 1;
        if kept == place.digest { Ok(()) } else { Err(Broken::Other { lane, number }) }
    }

    /// Whether all rows of a lane without any were removed in order.
    fn has_none_left(&self, head: &Head) -> Result<(), Broken> {
        let none = Head { lane: head.lane, number: 0, digest: Vec::new() };
        let cut = self.cuts.get(&head.lane).unwrap_or(&none);
        match head.number - cut.number {
            0 if head.digest == cut.digest => Ok(()),
            rows if rows > 0 => Err(Broken::Cut { lane: head.lane, rows }),
            _ => Err(Broken::Unknown { lane: head.lane }),
        }
    }

    /// The lane of the row before has no more rows.
    fn end_lane(&mut self) -> Result<(), Broken> {
        let Some(last) = self.last.take() else { return Ok(()) };
        while let Some(head) = self.heads.get(self.done) {
            if head.lane > last.lane {
                break;
            }
            self.done += 1;
            if head.lane == last.lane {
                return match head.number - last.number {
                    0 if head.digest == last.digest => Ok(()),
                    rows if rows > 0 => Err(Broken::Cut { lane: head.lane, rows }),
                    _ => Err(Broken::Unknown { lane: head.lane }),
                };
            }
            self.has_none_left(head)?;
        }
        Err(Broken::Unknown { lane: last.lane })
    }
}

#[cfg(test)]
mod tests {
    use super::{Broken, Entry, Head, Kept, Walk, kept, line};
    use sha2::{Digest, Sha256};

    /// Lanes 1 and 4 with three rows each, and 2 without any; and their ends.
    fn log() -> (Vec<Entry>, Vec<Head>) {
        let (mut entries, mut heads) = (Vec::new(), Vec::new());
        for (lane, rows) in [(1, 3), (2, 0), (4, 3)] {
            let mut head = Head { lane, number: 0, digest: Vec::new() };
            for number in 1..=rows {
                let (seq, text) = (i64::from(lane) * 10 + number, format!("{lane} {number}"));
                let digest = Sha256::new().chain_update(&head.digest).chain_update(&text);
                head = Head { lane, number, digest: digest.finalize().to_vec() };
                entries.push(Entry { seq, place: head.clone(), text });
            }
            heads.push(head);
        }
        (entries, heads)
    }

    fn check(change: impl FnOnce(&mut Vec<Entry>, &mut Vec<Head>), expected: Result<u64, Broken>) {
        let (mut entries, mut heads) = log();
        change(&mut entries, &mut heads);
        assert_eq!(walk(entries, heads, Vec::new(), 0), expected);
    }

    fn walk(
        entries: Vec<Entry>,
        heads: Vec<Head>,
        cuts: Vec<Head>,
        told: i64,
    ) -> Result<u64, Broken> {
        let mut walk = Walk::new(heads, cuts, Kept::new());
        entries.into_iter().try_for_each(|entry| walk.take(entry))?;
        walk.end(told).map(|whole| whole.rows)
    }

    /// The same log after two rows of lane 1 and all of lane 4 were removed in order.
    fn check_cut(
        change: impl FnOnce(&mut Vec<Entry>, &mut Vec<Head>, &mut i64),
        expected: Result<u64, Broken>,
    ) {
        let (mut entries, heads) = log();
        let mut cuts = vec![entries[1].place.clone(), entries[5].place.clone()];
        entries.truncate(3);
        entries.drain(..2);
        let mut told = 5;
        change(&mut entries, &mut cuts, &mut told);
        assert_eq!(walk(entries, heads, cuts, told), expected);
    }

    #[test]
    fn what_was_removed_in_order_is_not_missed_and_all_else_is() {
        check_cut(|_, _, _| {}, Ok(1));
        check_cut(|entries, _, _| entries[0].text.push('x'), Err(Broken::Changed { seq: 13 }));
        check_cut(|entries, _, _| entries.clear(), Err(Broken::Cut { lane: 1, rows: 1 }));
        check_cut(|_, cuts, _| cuts[0].digest[0] ^= 1, Err(Broken::Changed { seq: 13 }));
        check_cut(|_, cuts, _| cuts[0].number = 1, Err(Broken::Moved { seq: 13 }));
        check_cut(|_, cuts, _| drop(cuts.remove(0)), Err(Broken::Moved { seq: 13 }));
        check_cut(|_, cuts, _| drop(cuts.remove(1)), Err(Broken::Cut { lane: 4, rows: 3 }));
        check_cut(|_, cuts, _| cuts[1].digest[0] ^= 1, Err(Broken::Unknown { lane: 4 }));
        check_cut(|_, cuts, _| cuts[1].number = 4, Err(Broken::Unknown { lane: 4 }));
        check_cut(|_, _, told| *told = 2, Err(Broken::Removed { cut: 5, told: 2 }));
        let further = |entries: &mut Vec<Entry>, cuts: &mut Vec<Head>, _: &mut i64| {
            cuts[0] = entries.remove(0).place;
        };
        check_cut(further, Err(Broken::Removed { cut: 6, told: 5 }));
    }

    #[test]
    fn the_first_broken_row_is_named() {
        check(|_, _| {}, Ok(6));
        check(|entries, _| entries[1].text.push('x'), Err(Broken::Changed { seq: 12 }));
        check(|entries, _| entries[1].place.digest[0] ^= 1, Err(Broken::Changed { seq: 12 }));
        check(|entries, _| drop(entries.remove(1)), Err(Broken::Moved { seq: 13 }));
        check(|entries, _| drop(entries.remove(0)), Err(Broken::Moved { seq: 12 }));
        check(|entries, _| drop(entries.pop()), Err(Broken::Cut { lane: 4, rows: 1 }));
        check(|entries, _| entries.truncate(3), Err(Broken::Cut { lane: 4, rows: 3 }));
        check(|entries, _| drop(entries.drain(..3)), Err(Broken::Cut { lane: 1, rows: 3 }));
        check(|entries, _| entries.clear(), Err(Broken::Cut { lane: 1, rows: 3 }));
        check(|_, heads| drop(heads.remove(2)), Err(Broken::Unknown { lane: 4 }));
        check(|_, heads| heads[0].number = 2, Err(Broken::Unknown { lane: 1 }));
        check(|_, heads| heads[0].digest[0] ^= 1, Err(Broken::Unknown { lane: 1 }));
        let swap = |entries: &mut Vec<Entry>, _: &mut Vec<Head>| {
            let (first, second) = (entries[0].text.clone(), entries[1].text.clone());
            (entries[0].text, entries[1].text) = (second, first);
        };
        check(swap, Err(Broken::Changed { seq: 11 }));
    }

    /// A log of which the ends of lanes 1 and 4 were kept at some time, after a change that the
    /// chain knows nothing of; how many of them are found, and how many are outdated.
    fn check_kept(
        change: impl FnOnce(&mut Vec<Entry>, &mut Vec<Head>, &mut Vec<Head>),
        expected: Result<(usize, usize), Broken>,
    ) {
        let (mut entries, mut heads) = log();
        let ends = [&entries[1].place, &heads[2]].map(|head| line("log", head));
        let text = format!("log: 6 rows, whole\n{}", ends.concat());
        let mut cuts = Vec::new();
        change(&mut entries, &mut heads, &mut cuts);
        let told = cuts.iter().map(|cut| cut.number).sum();
        let mut walk = Walk::new(heads, cuts, kept(&text).unwrap()["log"].clone());
        let walked = entries.into_iter().try_for_each(|entry| walk.take(entry));
        let whole = walked.and_then(|()| walk.end(told));
        assert_eq!(whole.map(|whole| (whole.found, whole.outdated)), expected);
    }

    /// Chains rows anew, as somebody does who may write wherever they like.
    fn chain(entries: &mut [Entry], heads: &mut [Head]) {
        for head in heads {
            (head.number, head.digest) = (0, Vec::new());
            for entry in entries.iter_mut().filter(|entry| entry.place.lane == head.lane) {
                let digest = Sha256::new().chain_update(&head.digest).chain_update(&entry.text);
                (head.number, head.digest) = (head.number + 1, digest.finalize().to_vec());
                entry.place = head.clone();
            }
        }
    }

    #[test]
    fn who_rewrote_log_and_chain_alike_is_found_by_what_was_kept() {
        check_kept(|_, _, _| {}, Ok((2, 0)));
        let truncated = |entries: &mut Vec<Entry>, heads: &mut Vec<Head>, _: &mut Vec<Head>| {
            entries.pop();
            chain(entries, heads);
        };
        check_kept(truncated, Err(Broken::Gone { lane: 4, number: 3 }));
        let changed = |entries: &mut Vec<Entry>, heads: &mut Vec<Head>, _: &mut Vec<Head>| {
            entries[0].text.push('x');
            chain(entries, heads);
        };
        check_kept(changed, Err(Broken::Other { lane: 1, number: 2 }));
        let lost = |entries: &mut Vec<Entry>, heads: &mut Vec<Head>, _: &mut Vec<Head>| {
            entries.retain(|entry| entry.place.lane != 4);
            heads.pop();
        };
        check_kept(lost, Err(Broken::Gone { lane: 4, number: 3 }));
        // After the row that was kept, all is as it should be.
        let later = |entries: &mut Vec<Entry>, heads: &mut Vec<Head>, _: &mut Vec<Head>| {
            entries[2].text.push('x');
            chain(entries, heads);
        };
        check_kept(later, Ok((2, 0)));
    }

    #[test]
    fn what_was_kept_and_removed_in_order_is_told() {
        let cut = |upto: usize| {
            move |entries: &mut Vec<Entry>, _: &mut Vec<Head>, cuts: &mut Vec<Head>| {
                cuts.extend(entries.drain(..upto).next_back().map(|entry| entry.place));
            }
        };
        check_kept(cut(1), Ok((2, 0)));
        check_kept(cut(2), Ok((2, 0)));
        check_kept(cut(3), Ok((1, 1)));
        let other = |entries: &mut Vec<Entry>, heads: &mut Vec<Head>, cuts: &mut Vec<Head>| {
            entries[0].text.push('x');
            chain(entries, heads);
            cut(2)(entries, heads, cuts);
        };
        check_kept(other, Err(Broken::Other { lane: 1, number: 2 }));
    }

    #[test]
    fn lines_that_were_kept() {
        let head = Head { lane: 7, number: 42, digest: (0..32).collect() };
        let text = line("log", &head);
        assert_eq!(text.split(' ').count(), 5);
        let found = kept(&format!("log: 1 rows, whole\n{text}\n")).unwrap();
        assert_eq!(found["log"], Kept::from([((7, 42), head.digest)]));
        assert_eq!(kept("log: 1 rows, whole\n"), Ok(std::collections::BTreeMap::new()));
        for (from, to) in [("07", "0"), ("07", "0x"), ("42", "y"), ("head log 7", "head 7")] {
            assert_eq!(kept(&format!("x\n{}", text.replacen(from, to, 1))), Err(2), "{from}");
        }
        assert_eq!(kept("head\n"), Err(1));
    }

    #[test]
    fn the_digest_of_a_whole_log_is_of_all_its_rows() {
        let digest = |rows: usize| {
            let (mut entries, _) = log();
            entries.truncate(rows);
            let mut walk = Walk::new(
                entries.last().map(|last| last.place.clone()).into_iter().collect(),
                vec![],
                Kept::new(),
            );
            entries.into_iter().for_each(|entry| walk.take(entry).unwrap());
            walk.end(0).unwrap().digest
        };
        assert_ne!(digest(1), digest(2));
        assert_eq!(digest(2).len(), 64);
    }
}
