//! What is known, and what is believed of it: by the rules, and against a database that is a list
//! of changes, with questions and answers in any order that there can be.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn value(text: &str) -> Content {
    Content::Value(text.as_bytes().into())
}

fn pairs(all: &[(&str, &str)]) -> Pairs {
    let mut pairs = Pairs::default();
    for (key, text) in all {
        assert!(pairs.put(key.as_bytes().into(), value(text)));
    }
    pairs
}

fn change(version: i64, key: &str, text: Option<&str>) -> Change {
    Change { version, key: key.as_bytes().into(), content: text.map(value) }
}

fn known(text: &str) -> Known {
    Known::Value(text.as_bytes().into())
}

#[test]
fn nothing_is_believed_for_longer_than_it_may() {
    let asked = Instant::now();
    let mut memory = Memory::default();
    assert_eq!(memory.look(b"a", asked), Known::Doubtful);
    memory.loaded(3, pairs(&[("a", "1")]), asked);
    let last = asked + BELIEVED - Duration::from_nanos(1);
    assert_eq!(memory.look(b"a", last), known("1"));
    assert_eq!(memory.look(b"b", last), Known::Absent);
    assert_eq!(memory.look(b"a", asked + BELIEVED), Known::Doubtful);
    assert!(memory.changed((3, 3), vec![], asked + BELIEVED));
    assert_eq!(memory.look(b"a", asked + BELIEVED), known("1"));
}

#[test]
fn changes_are_followed() {
    let now = Instant::now();
    let mut memory = Memory::default();
    memory.loaded(3, pairs(&[("a", "1"), ("b", "1")]), now);
    let changes = vec![change(4, "a", Some("2")), change(6, "b", None), change(5, "c", Some("3"))];
    assert!(memory.changed((3, 6), changes, now));
    assert_eq!(memory.since(), Some(6));
    for (key, expected) in [("a", known("2")), ("b", Known::Absent), ("c", known("3"))] {
        assert_eq!(memory.look(key.as_bytes(), now), expected, "{key}");
    }
}

#[test]
fn what_cannot_be_followed_is_read_anew() {
    let now = Instant::now();
    for (since, version, follows) in
        [(3, 3, true), (3, 2, false), (3, 3 + REMOVED_KEPT, true), (3, 4 + REMOVED_KEPT, false)]
    {
        let mut memory = Memory::default();
        memory.loaded(3, Pairs::default(), now);
        assert_eq!(memory.changed((since, version), vec![], now), follows, "{version}");
    }
}

#[test]
fn a_ward_reads_what_it_wrote() {
    let now = Instant::now();
    let mut memory = Memory::default();
    memory.loaded(3, Pairs::default(), now);
    memory.wrote(4, b"a", Some(value("1")));
    assert_eq!(memory.look(b"a", now), known("1"));
    // Another ward has written in between: what it wrote is not known.
    memory.wrote(6, b"a", Some(value("2")));
    assert_eq!(memory.look(b"a", now), Known::Doubtful);
    // An answer to what was asked before says nothing of it.
    assert!(memory.changed((4, 5), vec![change(5, "a", None)], now));
    assert_eq!(memory.look(b"a", now), Known::Doubtful);
    assert!(memory.changed((5, 6), vec![change(6, "a", Some("2"))], now));
    assert_eq!(memory.look(b"a", now), known("2"));
    // Another ward has removed it, and this one found nothing to remove.
    memory.saw(7);
    assert_eq!(memory.look(b"a", now), Known::Doubtful);
}

#[test]
fn an_answer_that_is_older_than_an_own_write_takes_nothing_back() {
    let now = Instant::now();
    let mut memory = Memory::default();
    memory.loaded(3, pairs(&[("a", "1")]), now);
    memory.wrote(4, b"a", None);
    assert!(memory.changed((3, 3), vec![], now));
    assert_eq!((memory.look(b"a", now), memory.since()), (Known::Absent, Some(4)));
}

#[test]
fn what_does_not_fit_is_in_the_database() {
    let now = Instant::now();
    let mut all = Pairs::default();
    for n in 0..HELD_PAIRS_MAX {
        assert!(all.put(n.to_string().into_bytes().into(), value("")));
    }
    let mut memory = Memory::default();
    memory.loaded(1, all, now);
    assert_eq!(memory.look(b"absent", now), Known::Absent, "all of them are held");
    memory.wrote(2, b"more", Some(value("1")));
    assert_eq!(memory.look(b"more", now), Known::Elsewhere);
    assert_eq!(memory.look(b"absent", now), Known::Elsewhere, "it may be one of those");
    assert_eq!(memory.look(b"0", now), known(""));
    // Once there is much room again, everything is read.
    for n in 0..HELD_PAIRS_MAX / 2 {
        memory.wrote(3 + n as i64, n.to_string().as_bytes(), None);
    }
    let version = memory.since().unwrap();
    assert!(memory.changed((version, version), vec![], now));
    memory.wrote(version + 1, b"32767", None);
    assert!(!memory.changed((version + 1, version + 1), vec![], now));
}

#[test]
fn what_is_held_has_a_bound_in_bytes() {
    let mut pairs = Pairs::default();
    let long = Content::of(&[0; HELD_VALUE_BYTES_MAX]);
    let key = |n: usize| format!("{n:0>1000}").into_bytes().into_boxed_slice();
    let fit = (0..HELD_PAIRS_MAX).take_while(|n| pairs.put(key(*n), long.clone())).count();
    assert_eq!(fit, HELD_BYTES_MAX / (HELD_PAIR_BYTES + 1000 + HELD_VALUE_BYTES_MAX));
    assert!(pairs.partial && pairs.bytes <= HELD_BYTES_MAX);
    pairs.remove(&key(0));
    assert!(pairs.put(key(0), long));
    assert_eq!(Content::of(&[0; HELD_VALUE_BYTES_MAX + 1]), Content::Long);
    let mut memory = Memory::default();
    let now = Instant::now();
    memory.loaded(1, Pairs::default(), now);
    memory.wrote(2, b"a", Some(Content::Long));
    assert_eq!(memory.look(b"a", now), Known::Long);
}

/// What happens in the history below.
#[derive(Debug, Clone)]
enum Step {
    /// Another ward writes a key.
    Other(u8, bool),
    /// This ward writes one; how many steps later it hears that it has.
    Own(u8, bool, usize),
    /// The keeper asks; how many steps later the answer comes.
    Ask(usize),
    /// So many milliseconds pass.
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..3, any::<bool>()).prop_map(|(key, set)| Step::Other(key, set)),
        (0u8..3, any::<bool>(), 0usize..3).prop_map(|(key, set, late)| Step::Own(key, set, late)),
        (0usize..4).prop_map(Step::Ask),
        (0u64..700).prop_map(Step::Pass),
    ]
}

/// What comes later.
enum Coming {
    Wrote(i64, u8, bool),
    Changed((i64, i64), Vec<Change>, Instant),
}

/// A database and a ward.
struct World {
    now: Instant,
    memory: Memory,
    /// The keys at each version, with the versions that wrote them, and when it became the present.
    history: Vec<(BTreeMap<u8, i64>, Instant)>,
    coming: Vec<(usize, Coming)>,
    asking: bool,
    /// The newest version that this ward was told it had made.
    told: i64,
}

impl World {
    fn new() -> World {
        let now = Instant::now();
        let mut memory = Memory::default();
        memory.loaded(0, Pairs::default(), now);
        let history = vec![(BTreeMap::new(), now)];
        World { now, memory, history, coming: Vec::new(), asking: false, told: 0 }
    }

    fn happen(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => self.now += Duration::from_millis(millis),
            Step::Other(key, set) => _ = self.write(key, set),
            Step::Own(key, set, late) => {
                let version = self.write(key, set);
                self.coming.push((late, Coming::Wrote(version, key, set)));
            }
            Step::Ask(_) if self.asking => {}
            Step::Ask(late) => {
                self.asking = true;
                let since = self.memory.since().unwrap();
                let version = self.history.len() as i64 - 1;
                let changes = (0..3).filter_map(|key| self.change(since, key)).collect();
                let changed = Coming::Changed((since, version), changes, self.now);
                self.coming.push((late, changed));
            }
        }
        for (late, what) in std::mem::take(&mut self.coming) {
            match late {
                0 => self.come(what),
                late => self.coming.push((late - 1, what)),
            }
        }
    }

    fn write(&mut self, key: u8, set: bool) -> i64 {
        let version = self.history.len() as i64;
        let mut state = self.history[self.history.len() - 1].0.clone();
        match set {
            true => _ = state.insert(key, version),
            false => _ = state.remove(&key),
        }
        self.history.push((state, self.now));
        version
    }

    /// The row of a key, if it has changed.
    fn change(&self, since: i64, key: u8) -> Option<Change> {
        let of = |version: usize| self.history[version].0.get(&key);
        let last = (1..self.history.len()).rev().find(|version| of(*version) != of(version - 1))?;
        let content = of(last).map(|version| value(&version.to_string()));
        (last as i64 > since).then(|| Change { version: last as i64, key: [key].into(), content })
    }

    fn come(&mut self, what: Coming) {
        match what {
            Coming::Wrote(version, key, set) => {
                self.told = self.told.max(version);
                let content = set.then(|| value(&version.to_string()));
                self.memory.wrote(version, &[key], content);
            }
            Coming::Changed(versions, changes, asked) => {
                self.asking = false;
                assert!(self.memory.changed(versions, changes, asked));
            }
        }
    }

    /// Whether what is believed, if anything is, was all there was lately.
    fn is_well(&self) -> bool {
        let known: Vec<Known> = (0..3).map(|key| self.memory.look(&[key], self.now)).collect();
        let as_known = |state: &BTreeMap<u8, i64>| {
            let one = |key| state.get(&key).map_or(Known::Absent, |v| known_of(*v));
            (0..3).map(one).collect::<Vec<_>>()
        };
        known.contains(&Known::Doubtful)
            || self.history.iter().enumerate().any(|(version, (state, _))| {
                let until = self.history.get(version + 1).map(|(_, until)| *until);
                let lately = until.is_none_or(|until| self.now - until < BELIEVED);
                lately && version as i64 >= self.told && as_known(state) == known
            })
    }
}

fn known_of(version: i64) -> Known {
    known(&version.to_string())
}

proptest! {
    /// Whatever is believed was all there was at some time within the bound, and never before what
    /// this ward was told that it had written.
    #[test]
    fn what_is_believed_is_recent(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.happen(step);
            prop_assert!(world.is_well());
        }
    }
}
