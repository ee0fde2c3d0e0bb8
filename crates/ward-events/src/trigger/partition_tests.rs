//! The trigger's promises, case by case and under any order of events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::partition::{CallError, Letter, Moment, Next, Outcome, Partition, Rules};
use crate::limits::{PARTITION_BATCHES_MAX, PARTITION_BYTES_MAX, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN};
use crate::log::Fetch;

fn rules() -> Rules {
    Rules {
        batch_max: 4,
        batch_wait: Duration::ZERO,
        retries: 2,
        patience: Duration::from_secs(600),
    }
}

fn at(ms: u64) -> Moment {
    Duration::from_millis(ms)
}

/// A partition with records at offsets from 0, one for each key.
fn with(keys: &str) -> Partition<i64> {
    let mut partition = Partition::new(&rules());
    for (offset, key) in (0..).zip(keys.bytes()) {
        partition.push(offset, Some(&[key]), offset, 10, (at(0), 0));
    }
    partition
}

fn batch(partition: &mut Partition<i64>, ms: u64) -> Vec<i64> {
    match partition.next(&rules(), at(ms)) {
        Next::Now(records) => records,
        Next::At(_) | Next::Nothing => Vec::new(),
    }
}

fn answer(partition: &mut Partition<i64>, ms: u64, outcomes: &[Outcome]) -> Vec<Letter<i64>> {
    partition.answered(outcomes.to_vec(), &rules(), &mut 0, at(ms))
}

fn retry(ms: u64) -> Outcome {
    Outcome::Retry(at(ms))
}

#[test]
fn batches_follow_each_other_in_order() {
    let mut partition = with("abcdef");
    assert_eq!(batch(&mut partition, 0), [0, 1, 2, 3]);
    assert_eq!(batch(&mut partition, 0), [0_i64; 0], "one at a time");
    assert_eq!(partition.take_commit(), Some(0), "a position may be told before anything is done");
    answer(&mut partition, 1, &[Outcome::Done, Outcome::Done, Outcome::Done, Outcome::Done]);
    assert_eq!(partition.take_commit(), Some(4));
    assert_eq!(partition.take_commit(), None, "it has not moved");
    partition.forget_commit();
    assert_eq!(partition.take_commit(), Some(4));
    assert_eq!(batch(&mut partition, 1), [4, 5]);
    answer(&mut partition, 2, &[Outcome::Done, Outcome::Done]);
    assert_eq!(partition.take_commit(), Some(6));
}

#[test]
fn a_batch_that_is_not_full_waits_if_it_is_told_to() {
    let waiting = Rules { batch_wait: at(20), ..rules() };
    let mut partition = Partition::new(&waiting);
    partition.push(0, Some(b"a"), 0, 1, (at(5), 0));
    assert_eq!(partition.next(&waiting, at(5)), Next::At(at(25)));
    assert_eq!(partition.next(&waiting, at(25)), Next::Now(vec![0]));
    answer(&mut partition, 25, &[Outcome::Done]);
    for offset in 1..=4 {
        partition.push(offset, Some(b"a"), offset, 1, (at(30), 0));
    }
    assert_eq!(partition.next(&waiting, at(30)), Next::Now(vec![1, 2, 3, 4]), "it is full");
}

#[test]
fn a_retry_holds_back_its_key_and_no_other() {
    let mut partition = with("abab");
    assert_eq!(batch(&mut partition, 0), [0, 1, 2, 3]);
    answer(&mut partition, 0, &[retry(500), Outcome::Done, retry(10), Outcome::Done]);
    assert_eq!(partition.take_commit(), Some(0));
    partition.push(4, Some(b"a"), 4, 1, (at(1), 0));
    partition.push(5, Some(b"c"), 5, 1, (at(1), 0));
    assert_eq!(batch(&mut partition, 1), [5]);
    answer(&mut partition, 2, &[Outcome::Done]);
    assert_eq!(partition.next(&rules(), at(2)), Next::At(at(500)));
    assert_eq!(batch(&mut partition, 500), [0, 2, 4]);
    answer(&mut partition, 501, &[Outcome::Done, Outcome::Done, Outcome::Done]);
    assert_eq!(partition.take_commit(), Some(6));
}

#[test]
fn what_erases_waits_for_all_before_it_and_then_for_the_dead_letters() {
    let mut partition = with("aba");
    partition.erases(2);
    assert_eq!(batch(&mut partition, 0), [0, 1, 2]);
    let rejected = Outcome::Reject("no".to_owned());
    let letters = answer(&mut partition, 0, &[rejected, retry(500), Outcome::Done]);
    assert_eq!(letters.len(), 1);
    assert_eq!(partition.clearing(), None, "a letter of its key is on its way");
    partition.set_aside(0);
    assert_eq!((partition.clearing(), partition.take_commit()), (None, Some(1)));
    assert!(partition.is_quiet(), "who takes over begins with what is not committed");
    assert_eq!(batch(&mut partition, 500), [1], "it is not handed out again");
    answer(&mut partition, 501, &[Outcome::Done]);
    assert_eq!(partition.take_commit(), Some(2));
    assert_eq!(partition.clearing(), Some((2, 2)));
    assert_eq!(partition.clearing(), None, "once");
    assert!(!partition.is_quiet());
    assert_eq!(partition.take_commit(), None);
    partition.set_aside(2);
    assert_eq!(partition.take_commit(), Some(3));
    assert_eq!(partition.len(), 0);
}

#[test]
fn what_erases_and_is_rejected_erases_all_the_same() {
    let mut partition = with("a");
    partition.erases(0);
    assert_eq!(batch(&mut partition, 0), [0]);
    answer(&mut partition, 0, &[Outcome::Reject("no".to_owned())]);
    assert_eq!(partition.clearing(), None);
    partition.set_aside(0);
    assert_eq!(partition.clearing(), Some((0, 0)));
}

#[test]
fn records_without_a_key_hold_back_nothing() {
    let mut partition = Partition::new(&rules());
    for (offset, key) in [(0, None), (1, Some(b"".as_slice())), (2, None), (3, Some(b""))] {
        assert!(partition.push(offset, key, offset, 1, (at(0), 0)));
    }
    assert!(!partition.push(2, None, 2, 1, (at(0), 0)), "it is here already");
    assert_eq!(batch(&mut partition, 0), [0, 1, 2, 3]);
    answer(&mut partition, 0, &[retry(500), retry(500), Outcome::Done, Outcome::Done]);
    partition.push(4, None, 4, 1, (at(1), 0));
    partition.push(5, Some(b""), 5, 1, (at(1), 0));
    assert_eq!(batch(&mut partition, 1), [4], "the empty key is one, and waits");
    answer(&mut partition, 2, &[Outcome::Done]);
    assert_eq!(partition.next(&rules(), at(2)), Next::At(at(500)));
    assert_eq!(batch(&mut partition, 500), [0, 1, 5]);
}

#[test]
fn a_rejected_record_is_gone_when_it_is_set_aside() {
    let mut partition = with("ab");
    batch(&mut partition, 0);
    let letters = answer(&mut partition, 0, &[Outcome::Reject("no".to_owned()), Outcome::Done]);
    let expected = Letter { offset: 0, record: 0, reason: "no".to_owned(), attempts: 1 };
    assert_eq!(letters, [expected]);
    assert_eq!(partition.take_commit(), Some(0));
    assert!(!partition.is_quiet());
    partition.set_aside(0);
    assert_eq!(partition.take_commit(), Some(2));
    assert!(partition.is_quiet());
}

#[test]
fn what_was_answered_for_has_passed() {
    let mut partition = with("abc");
    batch(&mut partition, 0);
    let mut passed = 7;
    let outcomes = vec![Outcome::Done, Outcome::Reject("no".to_owned()), retry(0)];
    partition.answered(outcomes, &rules(), &mut passed, at(0));
    assert_eq!(passed, 9);
}

#[test]
fn a_record_that_comes_again_is_here_already() {
    let mut partition = with("ab");
    assert_eq!(batch(&mut partition, 0), [0, 1]);
    partition.push(1, Some(b"b"), 1, 1, (at(0), 0));
    partition.push(7, Some(b"c"), 7, 1, (at(0), 0));
    answer(&mut partition, 0, &[Outcome::Done, Outcome::Done]);
    assert_eq!(partition.take_commit(), Some(7));
    assert_eq!(batch(&mut partition, 0), [7]);
}

#[test]
fn an_unreadable_record_is_never_handed_out() {
    let mut partition = with("ab");
    let letter = partition.unreadable(0, "garbage".to_owned()).unwrap();
    assert_eq!((letter.offset, letter.attempts), (0, 0));
    assert_eq!(batch(&mut partition, 0), [1]);
}

#[test]
fn a_trap_in_a_batch_leads_to_smaller_ones_until_the_culprit_stands_alone() {
    let mut partition = with("abcdefgh");
    let trap = CallError::Failed("trap".to_owned());
    let mut passed = 0;
    let mut fail =
        |partition: &mut Partition<i64>, ms| partition.failed(&trap, &rules(), &mut passed, at(ms));
    assert_eq!(batch(&mut partition, 0), [0, 1, 2, 3]);
    assert_eq!(fail(&mut partition, 0), []);
    assert_eq!(batch(&mut partition, 1), [0_i64; 0], "after a failure there is a pause");
    assert_eq!(batch(&mut partition, 1000), [0, 1]);
    assert_eq!(fail(&mut partition, 1000), []);
    assert_eq!(batch(&mut partition, 2000), [0]);
    assert_eq!(fail(&mut partition, 2000), []);
    // The key of 0 is held back; the others go on, and soon in full batches again.
    partition.push(8, Some(b"a"), 8, 1, (at(2000), 0));
    for expected in [&[1_i64] as &[_], &[2, 3], &[4, 5, 6, 7]] {
        assert_eq!(batch(&mut partition, 2000 + 200), expected);
        answer(&mut partition, 2200, &vec![Outcome::Done; expected.len()]);
    }
    assert_eq!(partition.take_commit(), Some(0));
}

#[test]
fn a_record_that_fails_while_others_pass_is_set_aside() {
    let mut partition = with("a");
    let mut passed = 0;
    for attempt in 0..rules().retries {
        let ms = u64::from(attempt) * 10_000;
        assert_eq!(batch(&mut partition, ms), [0]);
        passed += 1;
        let outcome = vec![retry(0)];
        assert_eq!(partition.answered(outcome, &rules(), &mut passed, at(ms)), []);
    }
    assert_eq!(batch(&mut partition, 90_000), [0]);
    passed += 1;
    let letters = partition.answered(vec![retry(0)], &rules(), &mut passed, at(90_000));
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].attempts, 3);
}

#[test]
fn an_outage_sets_nothing_aside_before_patience_ends() {
    let mut partition = with("a");
    let mut ms = 0;
    let letters = loop {
        assert_eq!(batch(&mut partition, ms), [0], "at {ms}");
        let letters = answer(&mut partition, ms, &[retry(0)]);
        if !letters.is_empty() {
            break letters;
        }
        ms += 12_000;
    };
    assert_eq!(ms, 600_000);
    assert_eq!(letters[0].attempts, 51);
}

#[test]
fn what_cannot_be_called_is_no_records_fault() {
    let mut partition = with("a");
    let away = CallError::Unavailable("starting".to_owned());
    for round in 0..500 {
        assert_eq!(batch(&mut partition, round * 6000), [0]);
        let letters = partition.failed(&away, &rules(), &mut (round + 1), at(round * 6000));
        assert_eq!(letters, []);
    }
}

#[test]
fn pauses_grow_while_nothing_passes_and_end_with_a_success() {
    let mut partition = with("a");
    let away = CallError::Unavailable("starting".to_owned());
    let mut ms = 0;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        batch(&mut partition, ms);
        partition.failed(&away, &rules(), &mut 0, at(ms));
        let Next::At(next) = partition.next(&rules(), at(ms)) else { panic!("no pause") };
        pauses.push(next - at(ms));
        ms = u64::try_from(next.as_millis()).unwrap();
    }
    assert_eq!(pauses.first(), Some(&RETRY_PAUSE_MIN));
    assert_eq!(pauses.last(), Some(&RETRY_PAUSE_MAX));
    batch(&mut partition, ms);
    answer(&mut partition, ms, &[Outcome::Done]);
    partition.push(1, Some(b"b"), 1, 1, (at(ms), 0));
    assert_eq!(batch(&mut partition, ms), [1]);
}

#[test]
fn an_answer_of_the_wrong_length_is_no_answer() {
    let mut partition = with("ab");
    batch(&mut partition, 0);
    assert_eq!(answer(&mut partition, 0, &[Outcome::Done]), []);
    assert_eq!(partition.take_commit(), Some(0));
    assert_eq!(batch(&mut partition, 1000), [0]);
}

#[test]
fn fetching_is_paused_at_the_limit_and_goes_on_at_half() {
    let most = i64::try_from(rules().batch_max * PARTITION_BATCHES_MAX).unwrap();
    let mut partition = Partition::new(&rules());
    // Said first of all: the log may have it stopped from when it had it before.
    assert_eq!(partition.fetching(&rules()), Some(Fetch::From(None)));
    for offset in 0..most {
        assert_eq!(partition.fetching(&rules()), None, "{offset}");
        partition.push(offset, Some(b"a"), offset, 1, (at(0), 0));
    }
    assert_eq!(partition.fetching(&rules()), Some(Fetch::Stop));
    assert_eq!(partition.fetching(&rules()), None);
    assert_eq!(partition.len(), rules().batch_max * PARTITION_BATCHES_MAX);
    for _ in 0..2 {
        batch(&mut partition, 0);
        answer(&mut partition, 0, &[const { Outcome::Done }; 4]);
    }
    assert_eq!(partition.fetching(&rules()), Some(Fetch::From(Some(most))));
}

#[test]
fn fetching_is_paused_at_so_many_bytes_and_goes_on_at_half() {
    let half = PARTITION_BYTES_MAX / 2;
    let mut partition = Partition::new(&rules());
    let mut said = Vec::new();
    for (offset, key, bytes) in [(0, b"a", half), (1, b"b", half - 1), (2, b"c", 1)] {
        said.push(partition.fetching(&rules()));
        partition.push(offset, Some(key), offset, bytes, (at(0), 0));
    }
    assert_eq!(said, [Some(Fetch::From(None)), None, None]);
    assert_eq!(partition.fetching(&rules()), Some(Fetch::Stop));
    assert_eq!(batch(&mut partition, 0), [0, 1, 2]);
    answer(&mut partition, 0, &[retry(0), retry(0), Outcome::Done]);
    assert_eq!(partition.fetching(&rules()), None, "more than half");
    assert_eq!(batch(&mut partition, 1000), [0, 1]);
    answer(&mut partition, 1000, &[retry(0), Outcome::Done]);
    assert_eq!(partition.fetching(&rules()), Some(Fetch::From(Some(3))));
}

/// What the component does with the records of a call.
#[derive(Debug, Clone)]
enum Step {
    Arrive {
        key: u8,
        bad: bool,
    },
    Tick(u16),
    Call,
    /// The running call ends: one number for each record says what became of it.
    Answer(Vec<u8>),
    /// It fails, after having applied so many records or none, as a crash between would.
    Fail {
        applied: bool,
        away: bool,
    },
    SetAside,
    Commit,
    /// The partition goes to another consumer, which begins at what was committed.
    Move,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..3, proptest::bool::weighted(0.05))
            .prop_map(|(key, bad)| Step::Arrive { key, bad }),
        3 => (0_u16..3000).prop_map(Step::Tick),
        6 => Just(Step::Call),
        5 => proptest::collection::vec(0_u8..10, 4).prop_map(Step::Answer),
        2 => any::<(bool, bool)>().prop_map(|(applied, away)| Step::Fail { applied, away }),
        2 => Just(Step::SetAside),
        2 => Just(Step::Commit),
        1 => Just(Step::Move),
    ]
}

struct World {
    partition: Partition<i64>,
    /// All records that there are: key, and whether it can be read.
    topic: Vec<(u8, bool)>,
    now: Moment,
    passed: u64,
    calling: Vec<i64>,
    letters: Vec<i64>,
    committed: i64,
    /// First effects, by the event's id: what an inbox lets through.
    applied: Vec<i64>,
    dead: BTreeSet<i64>,
    /// Given up at least once: when they come again and pass, it is out of order.
    given_up: BTreeSet<i64>,
    /// A planted fault: what has arrived counts as answered for.
    hasty: bool,
}

impl World {
    fn new() -> World {
        World {
            partition: Partition::new(&rules()),
            topic: Vec::new(),
            now: at(0),
            passed: 0,
            calling: Vec::new(),
            letters: Vec::new(),
            committed: 0,
            applied: Vec::new(),
            dead: BTreeSet::new(),
            given_up: BTreeSet::new(),
            hasty: false,
        }
    }

    fn read(&mut self, offset: i64) {
        let (key, bad) = self.topic[usize::try_from(offset).unwrap()];
        self.partition.push(offset, Some(&[key]), offset, 1, (self.now, self.passed));
        if bad {
            let letter = self.partition.unreadable(offset, "bad".to_owned());
            self.letters.extend(letter.map(|letter| letter.offset));
        }
    }

    fn give_up(&mut self, letters: &[Letter<i64>]) {
        let offsets = || letters.iter().map(|letter| letter.offset);
        self.letters.extend(offsets());
        self.given_up.extend(offsets());
    }

    fn apply(&mut self, offset: i64) {
        if !self.applied.contains(&offset) {
            self.applied.push(offset);
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Arrive { key, bad } => {
                self.topic.push((*key, *bad));
                self.read(i64::try_from(self.topic.len()).unwrap() - 1);
            }
            Step::Tick(ms) => self.now += at(u64::from(*ms)),
            Step::Call => self.call()?,
            Step::Answer(what) => self.answer(what),
            Step::Fail { applied, away } => self.fail(*applied, *away),
            Step::SetAside => {
                for offset in std::mem::take(&mut self.letters) {
                    self.dead.insert(offset);
                    self.partition.set_aside(offset);
                }
            }
            Step::Commit => self.commit()?,
            Step::Move => {
                self.partition = Partition::new(&rules());
                (self.calling, self.letters) = (Vec::new(), Vec::new());
                let end = i64::try_from(self.topic.len()).unwrap();
                (self.committed..end).for_each(|offset| self.read(offset));
            }
        }
        Ok(())
    }

    fn call(&mut self) -> Result<(), TestCaseError> {
        if let Next::Now(records) = self.partition.next(&rules(), self.now) {
            prop_assert!(self.calling.is_empty());
            prop_assert!(!records.is_empty() && records.len() <= rules().batch_max);
            prop_assert!(records.is_sorted());
            self.calling = records;
        }
        Ok(())
    }

    /// The component keeps the contract: after the first retry of a key it says retry for the
    /// rest of that key in the batch.
    fn answer(&mut self, what: &[u8]) {
        if self.calling.is_empty() {
            return;
        }
        let calling = std::mem::take(&mut self.calling);
        let mut held = BTreeSet::new();
        let mut outcomes = Vec::new();
        for (offset, choice) in calling.iter().zip(what.iter().cycle()) {
            let key = self.topic[usize::try_from(*offset).unwrap()].0;
            let outcome = match choice {
                0..=2 => retry(u64::from(*choice) * 400),
                3 if !held.contains(&key) => Outcome::Reject("no".to_owned()),
                _ if held.contains(&key) => retry(0),
                _ => Outcome::Done,
            };
            match outcome {
                Outcome::Retry(_) => {
                    held.insert(key);
                }
                Outcome::Done => self.apply(*offset),
                Outcome::Reject(_) => {}
            }
            outcomes.push(outcome);
        }
        let letters = self.partition.answered(outcomes, &rules(), &mut self.passed, self.now);
        self.give_up(&letters);
    }

    fn fail(&mut self, applied: bool, away: bool) {
        if self.calling.is_empty() {
            return;
        }
        let calling = std::mem::take(&mut self.calling);
        if applied && !away {
            calling.iter().for_each(|offset| self.apply(*offset));
        }
        let error = match away {
            true => CallError::Unavailable(String::new()),
            false => CallError::Failed(String::new()),
        };
        let letters = self.partition.failed(&error, &rules(), &mut self.passed, self.now);
        self.give_up(&letters);
    }

    fn commit(&mut self) -> Result<(), TestCaseError> {
        let Some(mut position) = self.partition.take_commit() else { return Ok(()) };
        if self.hasty {
            position = i64::try_from(self.topic.len()).unwrap();
        }
        prop_assert!(position >= self.committed);
        self.committed = position;
        for offset in 0..position {
            let answered = self.applied.contains(&offset) || self.dead.contains(&offset);
            prop_assert!(answered, "{offset} was skipped by {position}");
        }
        Ok(())
    }

    /// The component takes everything from now on, until nothing is left.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..self.topic.len() * 2 + 4 {
            for step in [
                Step::Answer(vec![9]),
                Step::Tick(6000),
                Step::Call,
                Step::Answer(vec![9]),
                Step::SetAside,
                Step::Commit,
            ] {
                self.take(&step)?;
            }
        }
        prop_assert_eq!(self.partition.len(), 0);
        prop_assert_eq!(self.committed, i64::try_from(self.topic.len()).unwrap());
        Ok(())
    }

    /// First effects of each key are in order, but for what was set aside.
    fn check(&self) -> Result<(), TestCaseError> {
        let mut last: BTreeMap<u8, i64> = BTreeMap::new();
        for offset in self.applied.iter().filter(|offset| !self.given_up.contains(*offset)) {
            let key = self.topic[usize::try_from(*offset).unwrap()].0;
            let before = last.insert(key, *offset);
            prop_assert!(before.is_none_or(|before| before < *offset), "{:?}", self.applied);
        }
        Ok(())
    }
}

/// Takes the steps, lets everything come to rest, and looks.
fn run(mut world: World, steps: &[Step]) -> Result<(), TestCaseError> {
    for step in steps {
        world.take(step)?;
    }
    world.settle()?;
    world.check()
}

#[test]
fn a_consumer_that_commits_before_the_answer_is_found_out() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let steps = proptest::collection::vec(step(), 0..250);
    let result = runner.run(&steps, |steps| run(World { hasty: true, ..World::new() }, &steps));
    assert!(result.is_err(), "the property does not notice skipped records");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_skipped_and_keys_keep_their_order(
        steps in proptest::collection::vec(step(), 0..250)
    ) {
        run(World::new(), &steps)?;
    }
}
