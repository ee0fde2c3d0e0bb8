//! What relay and trigger rely on of a log: each law once, for every log there is. A law sees a log
//! as two processes have it and knows nothing else of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::mpsc;
use ward_events::limits::LEASE_MAX;
use ward_events::{
    ERASES, Fetch, Headers, Incoming, Log, Member, Membership, News, Outgoing, StartAt, ToolError,
    TopicPartition, TopicShape, View, deliver,
};

use crate::memory::{MemoryLog, Mistake, Surroundings};
use crate::system::{System, shared_embedded, shared_kafka, unique, until};

/// A log as two processes have it.
struct Logs(Arc<dyn Log>, Arc<dyn Log>);

impl Logs {
    async fn topic(&self, partitions: u32) -> String {
        let topic = [unique("law")];
        let shape = TopicShape { partitions, replicas: 1, keep: Duration::from_secs(3600) };
        until("the topic is made", async || self.0.ensure_topics(&topic, shape).await.ok()).await;
        let [topic] = topic;
        topic
    }

    async fn look(&self, topic: &str, group: &str) -> Box<dyn View> {
        self.1.look(topic, group).await.unwrap()
    }

    /// Where a group is in a topic, once that is so far.
    async fn committed(&self, topic: &str, group: &str, expected: &[(i32, i64)]) {
        let expected: BTreeMap<i32, i64> = expected.iter().copied().collect();
        let mut look = self.look(topic, group).await;
        until("the position is committed", async || {
            let committed = look.committed().await.unwrap();
            let is_there = |(own, at): (&i32, &i64)| committed.get(own) == Some(at);
            expected.iter().all(is_there).then_some(())
        })
        .await;
    }
}

impl From<&System> for Logs {
    fn from(system: &System) -> Logs {
        Logs(system.log(), system.another_log())
    }
}

impl Surroundings for Option<Mistake> {
    fn mistake(&self) -> Option<Mistake> {
        *self
    }
}

fn memory(mistake: Option<Mistake>) -> Logs {
    let log = MemoryLog::new(Arc::new(mistake));
    Logs(Arc::new(log.another()), Arc::new(log))
}

macro_rules! laws {
    ($($law:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test(start_paused = true)]
                async fn $law() {
                    super::$law(super::memory(None)).await;
                }
            )+
        }
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $law() {
                    super::$law((&super::shared_embedded().await).into()).await;
                }
            )+
        }
        mod kafka {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $law() {
                    super::$law(super::shared_kafka().await.into()).await;
                }
            )+
        }
    };
}

laws!(
    what_is_acknowledged_is_there_in_order_without_gaps_and_once,
    records_come_back_as_they_were,
    a_look_begins_anywhere_and_moves_a_group,
    members_share_the_partitions_and_go_on_where_another_left,
    positions_are_what_members_say,
    a_group_that_begins_at_the_end_gets_what_comes_after,
    a_stopped_partition_goes_on_where_it_was,
    who_has_given_a_partition_away_commits_nothing_for_it,
    what_a_record_erases_is_gone_and_nothing_else_moves,
);

mod broken {
    use super::{Mistake, memory};

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "one key's order")]
    async fn keys_without_a_partition_of_their_own_are_noticed() {
        let logs = memory(Some(Mistake::ForgetsOrder));
        super::what_is_acknowledged_is_there_in_order_without_gaps_and_once(logs).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "nobody said")]
    async fn positions_that_nobody_committed_are_noticed() {
        let logs = memory(Some(Mistake::CommitsTooEarly));
        super::positions_are_what_members_say(logs).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "somebody else's")]
    async fn commits_of_those_who_have_nothing_are_noticed() {
        let logs = memory(Some(Mistake::LetsAnybodyCommit));
        super::who_has_given_a_partition_away_commits_nothing_for_it(logs).await;
    }
}

fn record(key: &str, value: &str) -> Outgoing {
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    Outgoing { key: bytes(key), value: bytes(value), headers: Headers::new() }
}

/// Everything that is in a topic from these offsets on to where it ended at the look.
async fn read(look: &mut dyn View, starts: &BTreeMap<i32, i64>) -> Vec<Incoming> {
    let left = |(partition, (_, end)): (&i32, &(i64, i64))| end - starts[partition];
    let count = usize::try_from(look.ends().iter().map(left).sum::<i64>()).unwrap();
    look.begin(starts).unwrap();
    let mut records = Vec::new();
    until("everything is read", async || {
        records.extend(look.next().await.unwrap().records);
        (records.len() >= count).then_some(())
    })
    .await;
    records
}

fn offsets(records: &[Incoming]) -> BTreeMap<i32, Vec<i64>> {
    let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for record in records {
        offsets.entry(record.partition).or_default().push(record.offset);
    }
    offsets
}

async fn what_is_acknowledged_is_there_in_order_without_gaps_and_once(logs: Logs) {
    let topic = logs.topic(3).await;
    let writers = (0..11).map(|writer| {
        let (log, topic) = (if writer % 2 == 0 { &logs.0 } else { &logs.1 }, &topic);
        async move {
            for number in 0..40 {
                let record = record(&format!("key-{writer}"), &number.to_string());
                deliver(&**log, topic, &record).await.unwrap();
            }
        }
    });
    join_all(writers).await;
    let mut look = logs.look(&topic, &unique("group")).await;
    let ends = look.ends().clone();
    let starts = ends.iter().map(|(own, (first, _))| (*own, *first)).collect();
    let records = read(&mut *look, &starts).await;
    let expected = ends.iter().map(|(own, (first, end))| (*own, (*first..*end).collect()));
    assert_eq!(offsets(&records), expected.collect::<BTreeMap<i32, Vec<i64>>>());
    assert_eq!((ends.len(), records.len()), (3, 440));
    let mut last: BTreeMap<Vec<u8>, (i32, i32)> = BTreeMap::new();
    for record in records {
        let number = String::from_utf8(record.value.unwrap()).unwrap().parse().unwrap();
        let key = record.key.unwrap();
        let (partition, before) = last.get(&key).copied().unwrap_or((record.partition, -1));
        let expected = (partition, before + 1);
        assert_eq!((record.partition, number), expected, "one key's order: {key:?}");
        last.insert(key, (partition, number));
    }
}

async fn records_come_back_as_they_were(logs: Logs) {
    let topic = logs.topic(1).await;
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let header = |name: &str, value| (name.to_owned(), value);
    let headers = vec![
        header("one", bytes("1")),
        header("none", None),
        header("empty", bytes("")),
        header("one", bytes("again")),
    ];
    let records = [
        Outgoing { key: None, value: bytes("v"), headers: headers.clone() },
        Outgoing { key: bytes(""), value: None, headers: Headers::new() },
        Outgoing { key: bytes("k"), value: bytes(""), headers },
        Outgoing { key: None, value: None, headers: Headers::new() },
    ];
    for record in &records {
        deliver(&*logs.0, &topic, record).await.unwrap();
    }
    let as_sent = |records: &[Incoming]| -> Vec<Outgoing> {
        let records = records.iter().cloned();
        let back = |Incoming { key, value, headers, .. }| Outgoing { key, value, headers };
        records.map(back).collect()
    };
    let mut look = logs.look(&topic, &unique("group")).await;
    assert_eq!(as_sent(&read(&mut *look, &BTreeMap::from([(0, 0)])).await), records);
    let consumer = Consumer::join(&logs.1, &topic, &unique("group"), StartAt::Earliest);
    consumer.until("it has the records", |seen| seen.records.len() == 4).await;
    assert_eq!(as_sent(&consumer.seen().records), records);
    consumer.leave().await;
}

async fn a_look_begins_anywhere_and_moves_a_group(logs: Logs) {
    let (topic, group) = (logs.topic(1).await, unique("group"));
    let nowhere = logs.0.look("nowhere", &group).await;
    assert_eq!(nowhere.err(), Some(ToolError::NoTopic("nowhere".to_owned())));
    assert_eq!(*logs.look(&topic, &group).await.ends(), BTreeMap::from([(0, (0, 0))]));
    for number in 0..5 {
        deliver(&*logs.0, &topic, &record("k", &number.to_string())).await.unwrap();
    }
    let mut look = logs.look(&topic, &group).await;
    assert_eq!(*look.ends(), BTreeMap::from([(0, (0, 5))]));
    let records = read(&mut *look, &BTreeMap::from([(0, 3)])).await;
    assert_eq!(offsets(&records), BTreeMap::from([(0, vec![3, 4])]));
    assert_eq!(look.committed().await.unwrap(), BTreeMap::new());
    assert!(!look.is_consuming().await.unwrap());
    look.commit(BTreeMap::from([(0, 4)])).await.unwrap();
    logs.committed(&topic, &group, &[(0, 4)]).await;
    let consumer = Consumer::join(&logs.0, &topic, &group, StartAt::Earliest);
    consumer.until("it goes on from there", |seen| !seen.records.is_empty()).await;
    assert_eq!(offsets(&consumer.seen().records), BTreeMap::from([(0, vec![4])]));
    assert!(look.is_consuming().await.unwrap());
    consumer.leave().await;
}

/// A member of a group that takes what it is told, and what it has seen.
struct Consumer {
    member: Box<dyn Member>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    places: BTreeSet<TopicPartition>,
    /// Of partitions that were its own when they came.
    records: Vec<Incoming>,
    /// Up to where it answers when a partition is taken away; else for all it has seen.
    answers: Option<i64>,
    has_ended: bool,
}

impl Seen {
    fn of<'s>(&'s self, place: &'s TopicPartition) -> impl Iterator<Item = &'s Incoming> {
        let own = |record: &&Incoming| (&record.topic, record.partition) == (&place.0, place.1);
        self.records.iter().filter(own)
    }

    /// A partition's position, if anything has come of it.
    fn position(&self, place: &TopicPartition) -> Option<i64> {
        self.of(place).map(|record| record.offset + 1).max()
    }

    fn happened(&mut self, news: News) {
        match news {
            News::Records(records) => {
                let own = |record: &Incoming| (record.topic.clone(), record.partition);
                let records = records.into_iter();
                self.records.extend(records.filter(|record| self.places.contains(&own(record))));
            }
            News::Assigned(places) => self.places.extend(places),
            News::Lost(places) => self.places.retain(|place| !places.contains(place)),
            News::Revoked(places, farewell) => {
                self.places.retain(|place| !places.contains(place));
                let position = |place: TopicPartition| {
                    Some((place.clone(), self.answers.or(self.position(&place))?))
                };
                farewell(places.into_iter().filter_map(position).collect());
            }
            News::Ended(_) => self.has_ended = true,
        }
    }
}

impl Consumer {
    fn join(log: &Arc<dyn Log>, topic: &str, group: &str, from: StartAt) -> Consumer {
        let membership =
            Membership { group: group.to_owned(), topics: vec![topic.to_owned()], from };
        let (sender, mut news) = mpsc::channel(8);
        let member = log.join(&membership, sender).unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let its = seen.clone();
        tokio::spawn(async move {
            while let Some(news) = news.recv().await {
                its.lock().unwrap().happened(news);
            }
        });
        Consumer { member, seen }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        until(what, async || is_so(&self.seen()).then_some(())).await;
    }

    async fn leave(self) {
        self.member.leave();
        until("it has left", async || self.seen.lock().unwrap().has_ended.then_some(())).await;
    }
}

/// Sends a record of each of 16 keys, which are in every partition.
async fn send(logs: &Logs, topic: &str, value: &str) {
    for key in 0..16 {
        deliver(&*logs.0, topic, &record(&format!("key-{key}"), value)).await.unwrap();
    }
}

async fn members_share_the_partitions_and_go_on_where_another_left(logs: Logs) {
    let (topic, group) = (logs.topic(4).await, unique("group"));
    send(&logs, &topic, "0").await;
    let first = Consumer::join(&logs.0, &topic, &group, StartAt::Earliest);
    first.until("all is the first one's", |seen| seen.places.len() == 4).await;
    let second = Consumer::join(&logs.1, &topic, &group, StartAt::Earliest);
    second.until("half is the second one's", |seen| seen.places.len() == 2).await;
    assert_eq!(first.seen().places.len(), 2);
    assert!(first.seen().places.is_disjoint(&second.seen().places));
    send(&logs, &topic, "1").await;
    let seen = [first.seen.clone(), second.seen.clone()];
    let all = || {
        let records = seen.iter().flat_map(|seen| seen.lock().unwrap().records.clone());
        offsets(&records.collect::<Vec<_>>())
    };
    let once = async |count| {
        until("everything has come", async || {
            let came = all().into_values().flatten().count();
            (came >= count).then_some(())
        })
        .await;
        for (partition, mut offsets) in all() {
            offsets.sort_unstable();
            assert!((0..).zip(&offsets).all(|(at, own)| at == *own), "{partition}: {offsets:?}");
        }
    };
    once(32).await;
    first.leave().await;
    second.until("all is the second one's", |seen| seen.places.len() == 4).await;
    send(&logs, &topic, "2").await;
    once(48).await;
    second.leave().await;
}

async fn positions_are_what_members_say(logs: Logs) {
    let (topic, group) = (logs.topic(1).await, unique("group"));
    for number in 0..5 {
        deliver(&*logs.0, &topic, &record("k", &number.to_string())).await.unwrap();
    }
    let first = Consumer::join(&logs.0, &topic, &group, StartAt::Earliest);
    first.until("it has the records", |seen| seen.records.len() == 5).await;
    let committed = logs.look(&topic, &group).await.committed().await.unwrap();
    assert!(committed.values().all(|position| *position == 0), "nobody said {committed:?}");
    let place = first.seen().places.first().unwrap().clone();
    first.member.commit(vec![(place.clone(), 1)]);
    logs.committed(&topic, &group, &[(0, 1)]).await;
    first.seen().answers = Some(2);
    first.leave().await;
    let second = Consumer::join(&logs.1, &topic, &group, StartAt::Earliest);
    second.until("it goes on", |seen| seen.records.len() == 3).await;
    assert_eq!(offsets(&second.seen().records), BTreeMap::from([(0, vec![2, 3, 4])]));
    second.leave().await;
}

async fn a_group_that_begins_at_the_end_gets_what_comes_after(logs: Logs) {
    let (topic, group) = (logs.topic(1).await, unique("group"));
    deliver(&*logs.0, &topic, &record("k", "before")).await.unwrap();
    let consumer = Consumer::join(&logs.0, &topic, &group, StartAt::Latest);
    consumer.until("it has the partition", |seen| seen.places.len() == 1).await;
    // Where the end is may be found out a moment after that; and it is another who appends.
    until("something comes", async || {
        deliver(&*logs.1, &topic, &record("k", "after")).await.unwrap();
        (!consumer.seen().records.is_empty()).then_some(())
    })
    .await;
    assert_eq!(consumer.seen().records[0].value.as_deref(), Some(b"after".as_slice()));
    consumer.leave().await;
}

async fn a_stopped_partition_goes_on_where_it_was(logs: Logs) {
    let (topic, group) = (logs.topic(2).await, unique("group"));
    let consumer = Consumer::join(&logs.0, &topic, &group, StartAt::Earliest);
    consumer.until("all is its own", |seen| seen.places.len() == 2).await;
    send(&logs, &topic, "0").await;
    consumer.until("everything has come", |seen| seen.records.len() == 16).await;
    let [one, other] = [0, 1].map(|at| consumer.seen().places.iter().nth(at).unwrap().clone());
    let counts = [&one, &other].map(|place| consumer.seen().of(place).count());
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    consumer.member.fetch(vec![(one.clone(), Fetch::Stop)]);
    send(&logs, &topic, "1").await;
    consumer.until("the other goes on", |seen| seen.of(&other).count() == 2 * counts[1]).await;
    assert_eq!(consumer.seen().of(&one).count(), counts[0], "it was stopped");
    let position = consumer.seen().position(&one);
    consumer.member.fetch(vec![(one.clone(), Fetch::From(position))]);
    let end = i64::try_from(2 * counts[0]).ok();
    consumer.until("it goes on", |seen| seen.position(&one) == end).await;
    let offsets: BTreeSet<i64> = consumer.seen().of(&one).map(|record| record.offset).collect();
    assert_eq!(offsets.len(), 2 * counts[0], "{offsets:?}");
    consumer.leave().await;
}

async fn who_has_given_a_partition_away_commits_nothing_for_it(logs: Logs) {
    let (topic, group) = (logs.topic(2).await, unique("group"));
    send(&logs, &topic, "0").await;
    let first = Consumer::join(&logs.0, &topic, &group, StartAt::Earliest);
    first.until("all is the first one's", |seen| seen.places.len() == 2).await;
    first.seen().answers = Some(1);
    let second = Consumer::join(&logs.1, &topic, &group, StartAt::Earliest);
    second.until("one is the second one's", |seen| !seen.places.is_empty()).await;
    let given = second.seen().places.first().unwrap().clone();
    let kept = first.seen().places.first().unwrap().clone();
    second.member.commit(vec![(given.clone(), 2)]);
    logs.committed(&topic, &group, &[(given.1, 2)]).await;
    // Of what is not its own; then of what is, after which the other has arrived.
    first.member.commit(vec![(given.clone(), 1)]);
    first.member.commit(vec![(kept.clone(), 1)]);
    logs.committed(&topic, &group, &[(kept.1, 1)]).await;
    let committed = logs.look(&topic, &group).await.committed().await.unwrap();
    assert_eq!(committed[&given.1], 2, "it is somebody else's");
    first.leave().await;
    second.leave().await;
}

async fn what_a_record_erases_is_gone_and_nothing_else_moves(logs: Logs) {
    let topic = logs.topic(1).await;
    let telling = vec![("note".to_owned(), Some(b"of k".to_vec()))];
    for (key, value) in [("k", "0"), ("other", "1"), ("k", "2")] {
        let record = Outgoing { headers: telling.clone(), ..record(key, value) };
        deliver(&*logs.0, &topic, &record).await.unwrap();
    }
    let erasing = Outgoing { headers: vec![(ERASES.to_owned(), None)], ..record("k", "3") };
    deliver(&*logs.1, &topic, &erasing).await.unwrap();
    // Who was told that the record is there need not wait for anything.
    let mut look = logs.look(&topic, &unique("group")).await;
    let records = read(&mut *look, &BTreeMap::from([(0, 0)])).await;
    assert_eq!(offsets(&records), BTreeMap::from([(0, vec![0, 1, 2, 3])]));
    let text = |bytes: &Option<Vec<u8>>| bytes.clone().map(|it| String::from_utf8(it).unwrap());
    let keys: Vec<_> = records.iter().filter_map(|record| text(&record.key)).collect();
    assert_eq!(keys, ["k", "other", "k", "k"]);
    let values: Vec<_> = records.iter().map(|record| text(&record.value)).collect();
    let kept = |value: &str| Some(value.to_owned());
    let gone = |value: &str| if logs.0.forgets() { None } else { kept(value) };
    assert_eq!(values, [gone("0"), kept("1"), gone("2"), kept("3")]);
    let tells = |record: &Incoming| record.headers == telling;
    let expected = [!logs.0.forgets(), true, !logs.0.forgets(), false];
    assert_eq!(records.iter().map(tells).collect::<Vec<_>>(), expected);
    // What comes later is as if nothing had been, and what erases is not erased.
    deliver(&*logs.0, &topic, &record("k", "4")).await.unwrap();
    deliver(&*logs.0, &topic, &erasing).await.unwrap();
    let mut look = logs.look(&topic, &unique("group")).await;
    let last = read(&mut *look, &BTreeMap::from([(0, 3)])).await;
    let values: Vec<_> = last.iter().map(|record| text(&record.value)).collect();
    assert_eq!(values, [kept("3"), gone("4"), kept("3")]);
}

/// The embedded log's test of this makes it so in the database.
#[tokio::test(start_paused = true)]
async fn a_process_that_stands_still_loses_what_it_had_and_commits_nothing_for_it() {
    let log = MemoryLog::new(Arc::new(None));
    let logs = Logs(Arc::new(log.clone()), Arc::new(log.another()));
    let (topic, group) = (logs.topic(1).await, unique("group"));
    send(&logs, &topic, "0").await;
    let first = Consumer::join(&logs.0, &topic, &group, StartAt::Earliest);
    first.until("it is the first one's", |seen| seen.places.len() == 1).await;
    let place = first.seen().places.first().unwrap().clone();
    log.stand_still(LEASE_MAX * 2);
    let second = Consumer::join(&logs.1, &topic, &group, StartAt::Earliest);
    second.until("it is the second one's", |seen| seen.places.len() == 1).await;
    second.member.commit(vec![(place.clone(), 2)]);
    first.member.commit(vec![(place, 1)]);
    first.until("it has heard of it", |seen| seen.places.is_empty()).await;
    logs.committed(&topic, &group, &[(0, 2)]).await;
}
