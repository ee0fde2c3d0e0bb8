//! The relay's promise under any order of events: two replicas that may hold the same lanes at the
//! same time, a broker that loses answers, delivers late and refuses, a process that dies anywhere,
//! a table whose rows become visible in any order between aggregates.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use uuid::Uuid;

use super::queue::{Lane, Queue, Row};
use crate::limits::{RELAY_ROWS_MAX, RELAY_ROWS_PER_KEY_MAX};

const LANES: Lane = 2;

fn row(seq: i64, aggregate: u128) -> Row<i64> {
    let lane = Lane::try_from(aggregate % 2).unwrap();
    let (id, aggregate) = (Uuid::from_u128(seq.unsigned_abs().into()), Uuid::from_u128(aggregate));
    Row { seq, id, aggregate, lane, payload: Ok(seq) }
}

fn holding() -> Queue<i64> {
    let mut queue = Queue::default();
    (0..LANES).for_each(|lane| queue.hold(lane));
    queue
}

fn sent(queue: &mut Queue<i64>) -> Vec<i64> {
    std::iter::from_fn(|| queue.send().map(|(seq, _)| seq)).collect()
}

fn marks(queue: &Queue<i64>) -> Vec<i64> {
    let mut rows: Vec<i64> = queue.to_mark(usize::MAX).iter().map(|(seq, _)| *seq).collect();
    rows.sort_unstable();
    rows
}

fn known(queue: &Queue<i64>) -> BTreeSet<i64> {
    queue.known().into_iter().collect()
}

#[test]
fn one_row_of_an_aggregate_is_on_its_way_at_a_time() {
    let mut queue = holding();
    queue.insert([row(1, 7), row(2, 8), row(3, 7), row(4, 7)]);
    assert_eq!(sent(&mut queue), [1, 2]);
    queue.acknowledged(1);
    assert_eq!(sent(&mut queue), [3], "it need not be marked first");
    queue.failed(3);
    assert_eq!(sent(&mut queue), [3]);
    queue.acknowledged(3);
    queue.acknowledged(2);
    assert_eq!(marks(&queue), [1, 2, 3]);
    queue.marked(&[1, 2, 3]);
    assert_eq!(sent(&mut queue), [4]);
}

#[test]
fn answers_for_what_is_not_on_its_way_change_nothing() {
    let mut queue = holding();
    queue.insert([row(1, 7)]);
    queue.acknowledged(1);
    queue.acknowledged(99);
    queue.failed(99);
    assert_eq!(marks(&queue), [0_i64; 0]);
    assert_eq!(sent(&mut queue), [1]);
    assert_eq!(queue.sent(), 1);
}

#[test]
fn a_row_at_fault_goes_alone_before_it_is_set_aside() {
    let mut queue = holding();
    queue.insert([row(1, 1), row(2, 2), row(3, 1), row(4, 3)]);
    assert_eq!(sent(&mut queue), [1, 2, 4]);
    // A request with 1 and 2 was refused as a whole; 4 is on its way still.
    queue.refused(1, "too large".to_owned());
    queue.refused(2, "too large".to_owned());
    assert_eq!(sent(&mut queue), [0_i64; 0]);
    queue.acknowledged(4);
    assert_eq!(sent(&mut queue), [1]);
    queue.refused(1, "too large".to_owned());
    assert_eq!(sent(&mut queue), [2]);
    queue.acknowledged(2);
    let aside = queue.to_set_aside();
    assert_eq!(aside, [(1, Uuid::from_u128(1), "too large".to_owned())]);
    queue.set_aside(1);
    assert_eq!(sent(&mut queue), [0_i64; 0], "3 waits behind 1, in the table");
    assert_eq!(known(&queue), BTreeSet::from([2, 4]));
}

#[test]
fn nothing_goes_beside_a_row_that_goes_alone() {
    let mut queue = holding();
    queue.insert([row(1, 1)]);
    assert_eq!(sent(&mut queue), [1]);
    queue.refused(1, "too large".to_owned());
    assert_eq!(sent(&mut queue), [1]);
    queue.insert([row(2, 2)]);
    assert_eq!(sent(&mut queue), [0_i64; 0]);
    queue.acknowledged(1);
    assert_eq!(sent(&mut queue), [2]);
}

#[test]
fn a_row_that_cannot_be_sent_is_not_tried_again() {
    let mut queue = holding();
    queue.insert([row(1, 7)]);
    assert_eq!(sent(&mut queue), [1]);
    queue.unsendable(1, "too large".to_owned());
    assert_eq!(sent(&mut queue), [0_i64; 0]);
    assert_eq!(queue.to_set_aside(), [(1, Uuid::from_u128(1), "too large".to_owned())]);
}

#[test]
fn a_row_that_cannot_be_encoded_is_set_aside_in_its_turn() {
    let mut queue = holding();
    let mut bad = row(2, 7);
    bad.payload = Err("no".to_owned());
    queue.insert([row(1, 7), bad, row(3, 7)]);
    assert_eq!(sent(&mut queue), [1]);
    assert!(queue.to_set_aside().is_empty());
    queue.acknowledged(1);
    assert_eq!(sent(&mut queue), [0_i64; 0]);
    assert_eq!(queue.to_set_aside().len(), 1);
}

#[test]
fn a_lane_that_is_let_go_keeps_what_is_on_its_way() {
    let mut queue = holding();
    queue.insert([row(1, 2), row(2, 2), row(3, 4), row(4, 3), row(5, 3)]);
    assert_eq!(sent(&mut queue), [1, 3, 4]);
    queue.let_go(0);
    assert_eq!(*queue.lanes(), BTreeSet::from([1]));
    assert_eq!(known(&queue), BTreeSet::from([1, 3, 4, 5]));
    assert!(queue.has(0));
    queue.acknowledged(1);
    queue.failed(3);
    assert_eq!(sent(&mut queue), [0_i64; 0], "2 and 3 are somebody else's now");
    assert_eq!(marks(&queue), [1]);
    queue.marked(&[1]);
    assert!(!queue.has(0) && queue.has(1));
    queue.insert([row(6, 2)]);
    assert!(!queue.has(0), "a fetch that was under way brings nothing back");
}

#[test]
fn without_its_connection_it_has_no_lane_and_what_is_on_its_way() {
    let mut queue = holding();
    queue.insert([row(1, 2), row(2, 2), row(3, 3)]);
    assert_eq!(queue.send(), Some((1, &1)));
    queue.let_go_of_all();
    assert!(queue.lanes().is_empty());
    assert_eq!(known(&queue), BTreeSet::from([1]));
    assert!(!queue.is_settled());
    queue.acknowledged(1);
    assert!(!queue.is_settled(), "it is not marked");
    queue.marked(&[1]);
    assert!(queue.is_settled());
}

#[test]
fn room_is_limited_in_all_and_for_each_aggregate() {
    let mut queue = holding();
    let most = i64::try_from(RELAY_ROWS_PER_KEY_MAX).unwrap();
    queue.insert((1..=most + 5).map(|seq| row(seq, 7)));
    assert_eq!(queue.known().len(), RELAY_ROWS_PER_KEY_MAX);
    assert_eq!(queue.full(), [Uuid::from_u128(7)]);
    assert_eq!(queue.room(), RELAY_ROWS_MAX - RELAY_ROWS_PER_KEY_MAX);
    assert_eq!(sent(&mut queue), [1]);
    queue.acknowledged(1);
    queue.marked(&[1]);
    assert!(queue.full().is_empty());
}

/// A step of the world. Numbers are taken modulo what there is to choose from.
#[derive(Debug, Clone)]
enum Step {
    /// A transaction writes the next row of an aggregate.
    Write(u8),
    /// It commits: its row becomes visible.
    Commit(u8),
    Fetch(bool),
    Send(bool),
    /// The broker takes in what came first on a replica's connection; its answer may be lost.
    Store(bool, Fate),
    Answer(bool),
    Mark(bool),
    SetAside(bool),
    /// The database connection is lost and made again.
    Reconnect(bool),
    /// The process dies and starts anew.
    Crash(bool),
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Stored,
    StoredButUnanswered,
    Lost,
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        4 => Just(Fate::Stored),
        1 => Just(Fate::StoredButUnanswered),
        1 => Just(Fate::Lost)
    ];
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Write),
        4 => any::<u8>().prop_map(Step::Commit),
        4 => any::<bool>().prop_map(Step::Fetch),
        4 => any::<bool>().prop_map(Step::Send),
        6 => (any::<bool>(), fate).prop_map(|(replica, fate)| Step::Store(replica, fate)),
        4 => any::<bool>().prop_map(Step::Answer),
        3 => any::<bool>().prop_map(Step::Mark),
        1 => any::<bool>().prop_map(Step::SetAside),
        1 => any::<bool>().prop_map(Step::Reconnect),
        1 => any::<bool>().prop_map(Step::Crash),
    ]
}

struct Replica {
    queue: Queue<i64>,
    /// What is on the connection to the broker, in order.
    wire: VecDeque<i64>,
    /// What the broker or the client says, in order.
    answers: VecDeque<(i64, bool)>,
}

struct World {
    /// Rows that are not committed, at most one of an aggregate: its changes wait for each other.
    open: BTreeMap<u128, i64>,
    table: BTreeMap<i64, (u128, bool)>,
    set_aside: BTreeSet<i64>,
    log: Vec<i64>,
    next: i64,
    replicas: [Replica; 2],
    /// A planted fault: rows are marked when they are sent.
    hasty: bool,
}

const AGGREGATES: u128 = 4;
/// Rows with such numbers cannot be encoded.
const BAD: i64 = 9;

impl World {
    fn new() -> World {
        let replica =
            || Replica { queue: holding(), wire: VecDeque::new(), answers: VecDeque::new() };
        World {
            open: BTreeMap::new(),
            table: BTreeMap::new(),
            set_aside: BTreeSet::new(),
            log: Vec::new(),
            next: 1,
            replicas: [replica(), replica()],
            hasty: false,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Write(which) => {
                let aggregate = u128::from(*which) % AGGREGATES;
                if !self.open.contains_key(&aggregate) {
                    self.open.insert(aggregate, self.next);
                    self.next += 1;
                }
            }
            Step::Commit(which) => {
                if let Some(seq) = self.open.remove(&(u128::from(*which) % AGGREGATES)) {
                    self.table.insert(seq, (u128::from(*which) % AGGREGATES, false));
                }
            }
            Step::Fetch(which) => self.fetch(usize::from(*which)),
            Step::Send(which) => {
                let replica = &mut self.replicas[usize::from(*which)];
                let next = replica.queue.send().map(|(seq, _)| seq);
                replica.wire.extend(next);
                if let Some(row) =
                    next.filter(|_| self.hasty).and_then(|seq| self.table.get_mut(&seq))
                {
                    row.1 = true;
                }
            }
            Step::Store(which, fate) => self.store(usize::from(*which), *fate),
            Step::Answer(which) => {
                let replica = &mut self.replicas[usize::from(*which)];
                match replica.answers.pop_front() {
                    Some((seq, true)) => replica.queue.acknowledged(seq),
                    Some((seq, false)) => replica.queue.failed(seq),
                    None => {}
                }
            }
            Step::Mark(which) => self.mark(usize::from(*which)),
            Step::SetAside(which) => {
                for (seq, ..) in self.replicas[usize::from(*which)].queue.to_set_aside() {
                    self.set_aside.insert(seq);
                    self.replicas[usize::from(*which)].queue.set_aside(seq);
                }
            }
            Step::Reconnect(which) => {
                let queue = &mut self.replicas[usize::from(*which)].queue;
                queue.let_go_of_all();
                (0..LANES).for_each(|lane| queue.hold(lane));
            }
            Step::Crash(which) => {
                // What is on the wire may still arrive.
                self.replicas[usize::from(*which)].queue = holding();
                self.replicas[usize::from(*which)].answers.clear();
            }
        }
    }

    fn fetch(&mut self, which: usize) {
        let queue = &mut self.replicas[which].queue;
        let known = known(queue);
        let aside = |aggregate: u128, seq: i64| {
            self.set_aside.range(..=seq).any(|seq| self.table[seq].0 == aggregate)
        };
        let waiting = self.table.iter().filter(|(seq, (aggregate, published))| {
            !published && !known.contains(seq) && !aside(*aggregate, **seq)
        });
        let rows = waiting.take(3).map(|(seq, (aggregate, _))| {
            let mut row = row(*seq, *aggregate);
            if seq % 10 == BAD {
                row.payload = Err("bad".to_owned());
            }
            row
        });
        queue.insert(rows.collect::<Vec<_>>());
    }

    fn store(&mut self, which: usize, fate: Fate) {
        let Some(seq) = self.replicas[which].wire.pop_front() else { return };
        if !matches!(fate, Fate::Lost) {
            self.log.push(seq);
        }
        self.replicas[which].answers.push_back((seq, matches!(fate, Fate::Stored)));
    }

    fn mark(&mut self, which: usize) {
        let rows = marks(&self.replicas[which].queue);
        for seq in &rows {
            self.table.get_mut(seq).unwrap().1 = true;
        }
        self.replicas[which].queue.marked(&rows);
    }

    /// Everything works from now on, until nothing changes any more.
    fn settle(&mut self) {
        for aggregate in 0..u8::try_from(AGGREGATES).unwrap() {
            self.take(&Step::Commit(aggregate));
        }
        for _ in 0..self.table.len() * 12 + 60 {
            for which in [false, true] {
                for step in [
                    Step::Fetch(which),
                    Step::Send(which),
                    Step::Store(which, Fate::Stored),
                    Step::Answer(which),
                    Step::Mark(which),
                    Step::SetAside(which),
                ] {
                    self.take(&step);
                }
            }
        }
    }

    /// For each aggregate, first copies are in order; nothing is missing but what stands at or
    /// behind a row that was set aside.
    fn check(&self) -> Result<(), TestCaseError> {
        let mut seen = BTreeSet::new();
        let first: Vec<i64> = self.log.iter().copied().filter(|seq| seen.insert(*seq)).collect();
        for aggregate in 0..AGGREGATES {
            let own = |seq: &&i64| self.table[*seq].0 == aggregate;
            let log: Vec<i64> = first.iter().filter(own).copied().collect();
            let rows = self.table.keys().filter(own).copied();
            let expected: Vec<i64> = rows.take_while(|seq| seq % 10 != BAD).collect();
            prop_assert_eq!(log, expected);
        }
        for (seq, (_, published)) in &self.table {
            prop_assert_eq!(*published, seen.contains(seq), "row {}", seq);
        }
        Ok(())
    }
}

/// Takes the steps, lets everything come to rest, and looks.
fn run(mut world: World, steps: &[Step]) -> Result<(), TestCaseError> {
    for step in steps {
        world.take(step);
        for (seq, (_, published)) in &world.table {
            prop_assert!(!published || world.log.contains(seq), "{seq} was marked, not sent");
        }
    }
    world.settle();
    world.check()
}

#[test]
fn a_relay_that_marks_before_the_answer_is_found_out() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let steps = proptest::collection::vec(step(), 0..250);
    let result = runner.run(&steps, |steps| run(World { hasty: true, ..World::new() }, &steps));
    assert!(result.is_err(), "the property does not notice lost rows");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn order_per_aggregate_is_kept_and_nothing_is_lost(
        steps in proptest::collection::vec(step(), 0..250)
    ) {
        run(World::new(), &steps)?;
    }
}
