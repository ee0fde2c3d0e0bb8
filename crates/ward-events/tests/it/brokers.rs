//! Brokers that people have: one that lets nobody make topics, one whose last offset is no
//! record's, one that says that it is where it is not.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use ward_events::{
    Connection, Events, EventsOptions, KafkaLog, Log, Outgoing, ReadFrom, Reader, ToolError,
    TopicShape, Unmade, deliver,
};

use crate::fake::Fake;
use crate::memory::{MemoryLog, Surroundings};
use crate::system::{Component, System, options, until};

const SHAPE: TopicShape =
    TopicShape { partitions: 1, replicas: 1, keep: Duration::from_secs(3600) };

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn log(fake: Fake) -> (String, KafkaLog) {
    let address = fake.serve().await;
    let connection = Connection::new(&address, BTreeMap::new()).unwrap();
    (address, KafkaLog::new(connection))
}

fn fake() -> Fake {
    Fake { topics: vec!["there"], advertised: None, refusal: None }
}

fn names(topics: &[&str]) -> Vec<String> {
    topics.iter().map(|topic| (*topic).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_exist_are_enough_and_the_others_are_named() {
    // Not authorized for the topic, for the cluster; not the controller; and no such request.
    for refusal in [Some(29), Some(31), Some(41), None] {
        let (_, log) = log(Fake { refusal, ..fake() }).await;
        let ensured = timeout(PATIENCE, log.ensure_topics(&names(&["there"]), SHAPE)).await;
        assert_eq!(ensured.unwrap().unwrap(), [], "{refusal:?}");
        let topics = names(&["missing", "there"]);
        let unmade = timeout(PATIENCE, log.ensure_topics(&topics, SHAPE)).await.unwrap().unwrap();
        let named: Vec<&str> = unmade.iter().map(|one| one.topic.as_str()).collect();
        assert_eq!(named, ["missing"], "{refusal:?}");
        assert!(!unmade[0].reason.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_keep_records_for_longer_than_was_promised_are_named() {
    let (system, day) = (System::kafka().await, Duration::from_secs(24 * 3600));
    for (topic, days) in [("week", 7), ("month", 30)] {
        let shape = TopicShape { keep: day * days, ..SHAPE };
        assert_eq!(system.log().ensure_topics(&names(&[topic]), shape).await.unwrap(), []);
    }
    let topics = names(&["month", "week"]);
    for (days, expected) in [(7, names(&["month"])), (30, names(&[])), (1, topics.clone())] {
        let mut longer = system.connection().keeping_longer(&topics, day * days).await.unwrap();
        longer.sort();
        assert_eq!(longer, expected, "{days} days");
    }
    // One that does not know the question.
    let address = fake().serve().await;
    let connection = Connection::new(&address, BTreeMap::new()).unwrap();
    timeout(PATIENCE, connection.keeping_longer(&names(&["there"]), day))
        .await
        .unwrap()
        .unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_ends_where_the_last_offset_is_no_records() {
    let (_, log) = log(fake()).await;
    let mut reader = Reader::open(&log, "there", "tail").await.unwrap();
    let mut offsets = Vec::new();
    let reading = reader.read(&ReadFrom::Earliest, false, |record| {
        offsets.push(record.offset);
        ControlFlow::Continue(())
    });
    timeout(PATIENCE, reading).await.expect("it ends").unwrap();
    assert_eq!(offsets, [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advertised_address_that_leads_nowhere_is_named() {
    let advertised = Some(("kafka.invalid", 9092));
    let (address, log) = log(Fake { advertised, ..fake() }).await;
    let trouble = log.ensure_topics(&names(&["there"]), SHAPE).await.unwrap_err().to_string();
    // Also of a topic that is not there: nobody has looked where it would be.
    for topic in ["there", "missing"] {
        let error = Reader::open(&log, topic, "tail").await.err().unwrap();
        assert!(!matches!(error, ToolError::NoTopic(_)), "{error}");
        for text in [&error.to_string(), &trouble] {
            for part in [address.as_str(), "kafka.invalid:9092", "advertised.listeners"] {
                assert!(text.contains(part), "{text}");
            }
        }
    }
}

/// It does not make the second topic.
#[derive(Default)]
struct Refuses(AtomicBool);

impl Surroundings for Refuses {
    fn refuses(&self, topic: &str) -> bool {
        self.0.load(Ordering::Relaxed) && topic.starts_with("second")
    }
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_missing_topic_waits_for_it_alone() {
    let refuses = Arc::new(Refuses(AtomicBool::new(true)));
    let log = Arc::new(MemoryLog::new(refuses.clone()));
    let components = [Component::willing(), Component::willing()];
    let triggers = ["first", "second"].iter().zip(&components);
    let triggers = triggers.map(|(topic, own)| options((topic, "group"), own)).collect();
    let events =
        Events::start(EventsOptions { log: log.clone(), shape: SHAPE, relays: vec![], triggers });
    let record = |id: &str| {
        let value = [b"\x2a\x01".as_slice(), id.as_bytes(), b"\x30\x01"].concat();
        Outgoing { key: Some(b"k".to_vec()), value: Some(value), headers: Vec::new() }
    };
    until("the first is made", async || deliver(&*log, "first", &record("a")).await.ok()).await;
    components[0].has_applied(1).await;
    let refused = log.ensure_topics(&names(&["second"]), SHAPE).await.unwrap();
    let reason = "not allowed".to_owned();
    assert_eq!(refused, [Unmade { topic: "second".to_owned(), reason }]);
    refuses.0.store(false, Ordering::Relaxed);
    until("the second is made", async || deliver(&*log, "second", &record("b")).await.ok()).await;
    components[1].has_applied(1).await;
    events.stop().await;
}
