//! What the tests are made of: servers, an outbox, a component that does what it is told, and a
//! reader of topics.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use test_broker::TestBroker;
use tokio::sync::{Notify, OnceCell, watch};
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;
use ward_embedded::{Ephemeral, Postgres};
use ward_events::{
    CallError, Connect, Connection, Consume, Consumer, DatabaseError, EmbeddedLog, EventType,
    Incoming, KafkaLog, Link, Log, Outgoing, ReadFrom, Reader, RelayHandle, RelayOptions, StartAt,
    TopicShape, TriggerHandle, TriggerOptions, deliver,
};
use ward_wire::{Contract, Value};

/// Longer than anything takes on a machine that builds something else at the time.
const PATIENCE: Duration = Duration::from_secs(90);

/// The table, as the service patients has it.
const OUTBOX: &str = concat!(
    "CREATE TABLE outbox (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), \
     seq bigint GENERATED ALWAYS AS IDENTITY, aggregate_id uuid NOT NULL, \
     aggregate_version bigint NOT NULL, type text NOT NULL, payload jsonb NOT NULL, \
     occurred_at timestamptz NOT NULL DEFAULT now(), published_at timestamptz, \
     UNIQUE (aggregate_id, aggregate_version)); \
     CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL; \
     CREATE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN PERFORM pg_notify('outbox', ''); RETURN NULL; END $$; \
     CREATE TRIGGER outbox_notify AFTER INSERT ON outbox \
     FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify();",
    include_str!("../../../../components/patients/migrations/V3__outbox_relay.sql"),
    include_str!("../../../../components/patients/migrations/V5__notify_of_rows.sql"),
    include_str!("../../../../components/patients/migrations/V6__no_notify.sql")
);

/// A server of a test's own, or one that tests share.
pub(crate) enum Servers {
    Own(Box<Ephemeral>),
    Shared(&'static Ephemeral),
}

impl std::ops::Deref for Servers {
    type Target = Ephemeral;

    fn deref(&self) -> &Ephemeral {
        match self {
            Servers::Own(own) => own,
            Servers::Shared(shared) => shared,
        }
    }
}

/// A PostgreSQL and a log.
pub(crate) struct System {
    pub(crate) postgres: Servers,
    /// The broker, where the log is Kafka.
    broker: Option<TestBroker>,
    /// The database of the embedded log, where it is that.
    storage: String,
    log: Arc<dyn Log>,
}

impl System {
    /// With a Kafka broker.
    pub(crate) async fn kafka() -> System {
        let postgres = Postgres::ephemeral().await.unwrap();
        let storage = postgres.create_database().await.unwrap();
        let broker = TestBroker::start(&storage).await.unwrap();
        let connection = Connection::new(&broker.address(), BTreeMap::new()).unwrap();
        let log = Arc::new(KafkaLog::new(connection));
        System { postgres: Servers::Own(Box::new(postgres)), broker: Some(broker), storage, log }
    }

    /// With the log that needs nothing else.
    pub(crate) async fn embedded() -> System {
        let postgres = Postgres::ephemeral().await.unwrap();
        let storage = postgres.create_database().await.unwrap();
        let log = Arc::new(EmbeddedLog::new(connect(&storage)));
        System { postgres: Servers::Own(Box::new(postgres)), broker: None, storage, log }
    }

    /// How its broker is reached, where it has one.
    pub(crate) fn connection(&self) -> Connection {
        let broker = self.broker.as_ref().expect("a broker");
        Connection::new(&broker.address(), BTreeMap::new()).unwrap()
    }

    /// One for all, as a ward has it.
    pub(crate) fn log(&self) -> Arc<dyn Log> {
        self.log.clone()
    }

    /// The same log as another ward has it.
    pub(crate) fn another_log(&self) -> Arc<dyn Log> {
        match &self.broker {
            Some(_) => Arc::new(KafkaLog::new(self.connection())),
            None => Arc::new(EmbeddedLog::new(connect(&self.storage))),
        }
    }

    /// The log does not do anything from now on: a dead broker, or tables that nobody can use.
    pub(crate) async fn break_log(&self) {
        match &self.broker {
            Some(broker) => broker.kill(),
            None => self.rename_column("next", "elsewhere").await,
        }
    }

    pub(crate) async fn mend_log(&self) {
        match &self.broker {
            Some(broker) => broker.start_again(),
            None => self.rename_column("elsewhere", "next").await,
        }
    }

    /// A column, because a table that is missing is made again.
    async fn rename_column(&self, from: &str, to: &str) {
        let client = self.storage().await;
        let sql = format!("ALTER TABLE part RENAME COLUMN {from} TO {to}");
        client.batch_execute(&sql).await.unwrap();
    }

    /// It answers nothing and closes nothing for a while.
    pub(crate) async fn freeze_log(&self, pause: Duration) {
        match &self.broker {
            Some(broker) => {
                broker.freeze();
                sleep(pause).await;
                broker.thaw();
            }
            None => {
                let client = self.storage().await;
                let lock = "BEGIN; LOCK TABLE part, record IN ACCESS EXCLUSIVE MODE";
                client.batch_execute(lock).await.unwrap();
                sleep(pause).await;
                client.batch_execute("ROLLBACK").await.unwrap();
            }
        }
    }

    /// A connection to the embedded log's database.
    pub(crate) async fn storage(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.storage, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A topic that nobody else has.
    pub(crate) async fn topic(&self, partitions: u32) -> String {
        let topic = unique("topic");
        let shape = TopicShape { partitions, replicas: 1, keep: Duration::from_secs(3600) };
        let topics = [topic.clone(), format!("{topic}.dead-letter")];
        until("the topics are made", async || self.log.ensure_topics(&topics, shape).await.ok())
            .await;
        topic
    }
}

/// The systems that most tests share. A static is never dropped; its guardians end with the
/// process.
pub(crate) async fn shared_kafka() -> &'static System {
    static SYSTEM: OnceCell<System> = OnceCell::const_new();
    // The servers must outlive the runtime of the test that happens to start them.
    SYSTEM.get_or_init(System::kafka).await
}

/// See [`shared_kafka`]. The log has tasks of its own, so each test has one over the same tables.
pub(crate) async fn shared_embedded() -> System {
    static POSTGRES: OnceCell<Ephemeral> = OnceCell::const_new();
    let postgres = POSTGRES.get_or_init(async || Postgres::ephemeral().await.unwrap()).await;
    let storage = postgres.create_database().await.unwrap();
    let log = Arc::new(EmbeddedLog::new(connect(&storage)));
    System { postgres: Servers::Shared(postgres), broker: None, storage, log }
}

fn connect(url: &str) -> Connect {
    let url = url.to_owned();
    Arc::new(move || {
        let url = url.clone();
        Box::pin(async move {
            let connected = tokio_postgres::connect(&url, NoTls).await;
            let (client, connection) = connected.map_err(DatabaseError::from)?;
            Ok(Link::new(client, connection))
        })
    })
}

pub(crate) fn unique(what: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{number}", std::process::id())
}

/// Patients who all change at once, again and again.
pub(crate) struct Patients<'o> {
    outbox: &'o Outbox,
    ids: Vec<Uuid>,
    version: i64,
}

impl Patients<'_> {
    pub(crate) fn new(outbox: &Outbox, count: u32) -> Patients<'_> {
        Patients { outbox, ids: (0..count).map(|_| Uuid::new_v4()).collect(), version: 0 }
    }

    /// Writes the next event of each; says how many there are in all.
    pub(crate) async fn change(&mut self) -> usize {
        self.version += 1;
        for patient in &self.ids {
            self.outbox.write(*patient, self.version).await;
        }
        self.ids.len() * usize::try_from(self.version).unwrap()
    }
}

/// Waits until there is something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A service's outbox.
pub(crate) struct Outbox {
    pub(crate) client: Client,
    url: String,
    /// Rings for the relay, as the host does.
    pub(crate) written: Arc<Notify>,
}

impl Outbox {
    pub(crate) async fn new(system: &System) -> Outbox {
        let url = system.postgres.create_database().await.unwrap();
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(OUTBOX).await.unwrap();
        Outbox { client, url, written: Arc::default() }
    }

    /// Writes the next event of an aggregate.
    pub(crate) async fn write(&self, aggregate: Uuid, version: i64) {
        let payload = serde_json::json!({"name": format!("{version}"), "address": "elsewhere"});
        self.write_payload(aggregate, version, &payload).await;
    }

    pub(crate) async fn write_payload(
        &self,
        aggregate: Uuid,
        version: i64,
        payload: &serde_json::Value,
    ) {
        let sql = "INSERT INTO outbox (aggregate_id, aggregate_version, type, payload) \
                   VALUES ($1, $2, 'PATIENT_UPDATED', $3)";
        self.client.execute(sql, &[&aggregate, &version, payload]).await.unwrap();
        self.written.notify_one();
    }

    pub(crate) async fn count(&self, condition: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM outbox WHERE {condition}");
        self.client.query_one(&sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn drained(&self) {
        until("the outbox is drained", async || {
            (self.count("published_at IS NULL").await == 0).then_some(())
        })
        .await;
    }

    pub(crate) fn relay(&self, system: &System, topic: &str, keep: Duration) -> Running {
        let (stop, stopped) = watch::channel(false);
        let options = RelayOptions {
            name: "patients".to_owned(),
            connect: connect(&self.url),
            encoder: Arc::new(
                EventType::derive(&contract(), "pms:patients/events@1.0.0", "patient-event")
                    .unwrap(),
            ),
            key: "patient-id".to_owned(),
            source: "/patients".to_owned(),
            erased_by: ["PATIENT_ERASED".to_owned()].into(),
            topic: topic.to_owned(),
            keep_published: keep,
            written: self.written.clone(),
            stats: Arc::default(),
        };
        let handle = RelayHandle::spawn(options, system.log(), stopped);
        Running { handle, stop }
    }
}

pub(crate) fn contract() -> Contract {
    let wit = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"));
    Contract::from_directories(&[wit.join("common"), wit.join("patients")]).unwrap()
}

/// A relay that can be stopped.
pub(crate) struct Running {
    pub(crate) handle: RelayHandle,
    stop: watch::Sender<bool>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.handle.ended().await;
    }
}

/// A record as the tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
    pub(crate) headers: BTreeMap<String, String>,
}

impl From<Incoming> for Seen {
    fn from(record: Incoming) -> Seen {
        let text = |bytes: Option<Vec<u8>>| {
            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
        };
        let headers = record.headers.into_iter();
        Seen {
            partition: record.partition,
            key: text(record.key),
            value: record.value.unwrap_or_default(),
            headers: headers.map(|(name, value)| (name, text(value))).collect(),
        }
    }
}

/// Reads a topic from its beginning until `enough` says so.
pub(crate) async fn read(
    system: &System,
    topic: &str,
    enough: impl Fn(&[Seen]) -> bool,
) -> Vec<Seen> {
    let log = system.log();
    let mut reader = Reader::open(&*log, topic, &unique("reader")).await.unwrap();
    let mut seen = Vec::new();
    let reading = reader.read(&ReadFrom::Earliest, true, |record| {
        seen.push(Seen::from(record));
        match enough(&seen) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap();
    seen
}

/// Sends what no relay would.
pub(crate) async fn send_raw(system: &System, topic: &str, key: &str, value: &[u8]) {
    let record = Outgoing {
        key: Some(key.as_bytes().to_vec()),
        value: Some(value.to_vec()),
        headers: Vec::new(),
    };
    deliver(&*system.log(), topic, &record).await.unwrap();
}

/// What a record was about: the version in its `name`.
pub(crate) fn version(value: &Value) -> i64 {
    let Value::Record(fields) = value else { panic!("{value:?}") };
    let Value::S64(version) = fields[5] else { panic!("{value:?}") };
    version
}

/// One delivery, as a component sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) key: String,
    pub(crate) version: i64,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) event_id: String,
}

impl Delivered {
    fn read(delivery: &Value) -> Delivered {
        let Value::Record(parts) = delivery else { panic!("{delivery:?}") };
        let [Value::Record(position), Value::Record(event)] = parts.as_slice() else {
            panic!("{delivery:?}")
        };
        let [_, Value::S32(partition), Value::S64(offset), Value::String(key), _] =
            position.as_slice()
        else {
            panic!("{delivery:?}")
        };
        let (Value::String(event_id), Value::S64(version)) = (&event[4], &event[5]) else {
            panic!("{delivery:?}")
        };
        Delivered {
            key: key.clone(),
            version: *version,
            partition: *partition,
            offset: *offset,
            event_id: event_id.clone(),
        }
    }
}

/// What a component makes of one batch.
pub(crate) type Answers = Result<Vec<Answer>, CallError>;

/// What a component does with one batch.
pub(crate) type Behaviour =
    Arc<dyn Fn(Vec<Delivered>) -> BoxFuture<'static, Answers> + Send + Sync>;

/// An outcome, as a component says it.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Done,
    Retry(u32),
    Reject(&'static str),
}

/// A component that keeps an inbox by event id, and does what its behaviour says.
pub(crate) struct Component {
    pub(crate) calls: Mutex<Vec<Vec<Delivered>>>,
    /// First effects, in their order.
    pub(crate) applied: Mutex<Vec<Delivered>>,
    behaviour: Behaviour,
}

impl Component {
    /// Applies everything.
    pub(crate) fn willing() -> Arc<Component> {
        Component::new(|batch| Ok(batch.iter().map(|_| Answer::Done).collect()))
    }

    pub(crate) fn new(
        behaviour: impl Fn(Vec<Delivered>) -> Answers + Send + Sync + 'static,
    ) -> Arc<Component> {
        Component::slow(move |batch| Box::pin(std::future::ready(behaviour(batch))))
    }

    pub(crate) fn slow(
        behaviour: impl Fn(Vec<Delivered>) -> BoxFuture<'static, Answers> + Send + Sync + 'static,
    ) -> Arc<Component> {
        let behaviour: Behaviour = Arc::new(behaviour);
        Arc::new(Component { calls: Mutex::default(), applied: Mutex::default(), behaviour })
    }

    pub(crate) fn applied(&self) -> Vec<Delivered> {
        self.applied.lock().unwrap().clone()
    }

    /// Waits until so many different events have been applied.
    pub(crate) async fn has_applied(&self, count: usize) -> Vec<Delivered> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let applied = self.applied();
            if applied.len() >= count {
                return applied;
            }
            assert!(Instant::now() < deadline, "{} of {count} events: {applied:?}", applied.len());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn consumer(component: &Arc<Component>) -> Consumer {
    let calls = Arc::new(Calls(component.clone()));
    Box::new(move || calls.clone())
}

struct Calls(Arc<Component>);

impl Consume for Calls {
    fn consume(&self, arguments: Vec<Value>) -> BoxFuture<'static, Result<Value, CallError>> {
        let component = self.0.clone();
        Box::pin(async move {
            let [Value::List(deliveries)] = arguments.as_slice() else { panic!("{arguments:?}") };
            let batch: Vec<Delivered> = deliveries.iter().map(Delivered::read).collect();
            component.calls.lock().unwrap().push(batch.clone());
            let answers = (component.behaviour)(batch.clone()).await?;
            let mut applied = component.applied.lock().unwrap();
            let mut outcomes = Vec::new();
            for (delivered, answer) in batch.into_iter().zip(answers) {
                let known = applied.iter().any(|own| own.event_id == delivered.event_id);
                outcomes.push(match answer {
                    Answer::Done => {
                        if !known {
                            applied.push(delivered);
                        }
                        Value::Variant(0, None)
                    }
                    Answer::Retry(ms) => Value::Variant(1, Some(Box::new(Value::U32(ms)))),
                    Answer::Reject(reason) => {
                        Value::Variant(2, Some(Box::new(Value::String(reason.to_owned()))))
                    }
                });
            }
            Ok(Value::List(outcomes))
        })
    }

    fn revision(&self) -> String {
        "rev-1".to_owned()
    }
}

/// A trigger that can be stopped.
pub(crate) struct Consuming {
    pub(crate) handle: TriggerHandle,
    stop: watch::Sender<bool>,
}

impl Consuming {
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.handle.ended().await;
    }
}

pub(crate) fn consume(
    system: &System,
    (topic, group): (&str, &str),
    component: &Arc<Component>,
) -> Consuming {
    consume_for(system.log(), (topic, group), component, Duration::from_secs(600))
}

/// The same with so much patience for what fails while nothing else passes.
pub(crate) fn consume_for(
    log: Arc<dyn Log>,
    (topic, group): (&str, &str),
    component: &Arc<Component>,
    patience: Duration,
) -> Consuming {
    let (stop, stopped) = watch::channel(false);
    let options = TriggerOptions { patience, ..options((topic, group), component) };
    let handle = TriggerHandle::spawn(options, log, stopped);
    Consuming { handle, stop }
}

/// A trigger that has time.
pub(crate) fn options((topic, group): (&str, &str), component: &Arc<Component>) -> TriggerOptions {
    let event =
        EventType::of_consumer(&contract(), "pms:patients/consumer@1.0.0", "consume").unwrap();
    TriggerOptions {
        id: "test".to_owned(),
        component: "analytics".to_owned(),
        group: group.to_owned(),
        topics: vec![topic.to_owned()],
        from: StartAt::Earliest,
        batch_records_max: 50,
        batch_wait: Duration::ZERO,
        concurrency: 4,
        retries: 2,
        patience: Duration::from_secs(600),
        dead_letter_of: Box::new(|topic| format!("{topic}.dead-letter")),
        event,
        consume: consumer(component),
        stats: Arc::default(),
    }
}

/// First effects of each key are in order of their versions, without gaps.
pub(crate) fn assert_in_order(applied: &[Delivered]) {
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for delivered in applied {
        let before = last.insert(&delivered.key, delivered.version).unwrap_or(0);
        assert_eq!(before + 1, delivered.version, "{applied:?}");
    }
}

/// Makes a test of each function here for each log: `fn(&System)`, in modules `kafka` and
/// `embedded`.
macro_rules! on_each_log {
    ($($name:ident),+ $(,)?) => {
        mod kafka {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::system::shared_kafka().await).await;
            })+
        }
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&crate::system::shared_embedded().await).await;
            })+
        }
    };
}
pub(crate) use on_each_log;
