//! Events: how long from a change to its analysis, how fast a backlog leaves the outbox, and how
//! fast analytics takes in what is on the topic. `events` is the log that `ward up` keeps in
//! PostgreSQL, `events-kafka` the same over Kafka's protocol, with the tests' broker.
//!
//! The server is a throwaway one that syncs nothing; the figures are those of this machine's CPU.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use test_broker::TestBroker;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tokio_postgres::{Client, NoTls};
use ward_embedded::{Ephemeral, Postgres};

use crate::ward::Server;
use crate::{patients, tools};

const CREATES_A_SECOND: u32 = 300;
const SECONDS: u32 = 20;
/// Creates before anything is measured.
const WARM_UP: u32 = 5 * CREATES_A_SECOND;
const BACKLOG: i64 = 100_000;
/// How often a count is looked at. Counting a hundred thousand rows takes a core 10 ms.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The longest that anything here may take.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Which triggers of the application are left in.
#[derive(Clone, Copy)]
enum Consumers {
    All,
    None,
    Analytics,
}

/// Which log the events go through.
#[derive(Clone, Copy)]
pub(crate) enum Through {
    Postgres,
    Kafka,
}

pub(crate) async fn run(through: Through) -> Result<()> {
    latency(through).await?;
    backlog(through).await
}

/// Creates at a steady rate through the API; the time from the change's commit to the moment that
/// analytics writes the event, which the service's own tables have.
async fn latency(through: Through) -> Result<()> {
    let bench = Bench::start(through, Consumers::All).await?;
    let token = patients::login(&bench.base()).await?;
    let client = reqwest::Client::new();
    let analytics = bench.connect("analytics").await?;
    warm_up(&bench, &client, &token).await?;
    let before = bench.server.resident_mib()?;
    let all = CREATES_A_SECOND * SECONDS;
    load(&client, &bench.base(), &token, "Bench", all).await?;
    let own = "FROM events WHERE name LIKE 'Bench %'";
    wait(&analytics, &format!("SELECT count(*) {own}"), i64::from(all)).await?;
    let quantiles = format!(
        "SELECT percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP \
         (ORDER BY extract(epoch FROM received_at - occurred_at)::float8 * 1000) {own}"
    );
    let quantiles: Vec<f64> = analytics.query_one(&quantiles, &[]).await?.try_get(0)?;
    let [p50, p99, most] = quantiles.as_slice() else { bail!("three quantiles") };
    println!(
        "{CREATES_A_SECOND} creates/s for {SECONDS} s, change to analysis: \
         p50 {p50:.1} ms, p99 {p99:.1} ms, most {most:.1} ms"
    );
    println!("resident: {before:.1} MiB before, {:.1} MiB after", bench.server.resident_mib()?);
    bench.server.stop().await
}

/// The same load for a while, so that connections and instances are there; and
/// what a server knows of its tables after its first minute: until then it goes by what it planned
/// when they were empty.
async fn warm_up(bench: &Bench, client: &reqwest::Client, token: &str) -> Result<()> {
    load(client, &bench.base(), token, "Warm Up", WARM_UP).await?;
    for database in bench.databases().await? {
        bench.connect(&database).await?.batch_execute("ANALYZE").await?;
    }
    let analytics = bench.connect("analytics").await?;
    let known = "SELECT count(*) FROM events WHERE name LIKE 'Warm Up %'";
    wait(&analytics, known, i64::from(WARM_UP)).await.map(drop)
}

/// Rows straight into the outbox; then the same events out of the topic.
async fn backlog(through: Through) -> Result<()> {
    let bench = Bench::start(through, Consumers::None).await?;
    let patients = bench.connect("patients").await?;
    let unsent = "SELECT -count(*) FROM outbox WHERE published_at IS NULL";
    wait(&patients, unsent, 0).await?;
    let fill = "INSERT INTO outbox (aggregate_id, aggregate_version, type, payload) \
         SELECT gen_random_uuid(), 1, 'PATIENT_CREATED', jsonb_build_object('name', 'Bench ' || n, \
         'email', 'bench' || n || '@example.com', 'dateOfBirth', date '1950-01-01' + n % 20000, \
         'registeredDate', '2024-01-01') FROM generate_series(1, $1::int8::int4) AS n";
    ensure!(patients.execute(fill, &[&BACKLOG]).await? > 0, "nothing was written");
    let took = wait(&patients, unsent, 0).await?;
    println!("relay: {:.0} events/s from a backlog of {BACKLOG}", rate(took));
    println!("resident: {:.1} MiB", bench.server.resident_mib()?);

    let bench = bench.again(Consumers::Analytics).await?;
    let analytics = bench.connect("analytics").await?;
    let count = "SELECT count(*) FROM events";
    // The clock starts with the first batch: joining the group is no part of it.
    wait(&analytics, count, 1).await?;
    let took = wait(&analytics, count, BACKLOG).await?;
    println!("analytics: {:.0} events/s from the topic, in batches of up to 500", rate(took));
    println!("resident: {:.1} MiB", bench.server.resident_mib()?);
    bench.server.stop().await
}

fn rate(took: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a hundred thousand")]
    let events = BACKLOG as f64;
    events / took.as_secs_f64()
}

/// Waits until a count has come up to `enough`; says how long it took.
async fn wait(client: &Client, count: &str, enough: i64) -> Result<Duration> {
    let start = Instant::now();
    while client.query_one(count, &[]).await?.try_get::<_, i64>(0)? < enough {
        ensure!(start.elapsed() < WAIT_MAX, "not in time: {count}");
        sleep(LOOK_EVERY).await;
    }
    Ok(start.elapsed())
}

/// So many creates at the steady rate, whether or not earlier ones are answered yet.
async fn load(
    client: &reqwest::Client,
    base: &str,
    token: &str,
    name: &str,
    count: u32,
) -> Result<()> {
    let mut ticks = interval(Duration::from_secs(1) / CREATES_A_SECOND);
    let mut tasks = JoinSet::new();
    for number in 1..=count {
        ticks.tick().await;
        let (client, base, token) = (client.clone(), base.to_owned(), token.to_owned());
        let name = format!("{name} {number}");
        tasks.spawn(async move { create(&client, &base, &token, &name).await });
    }
    while let Some(created) = tasks.join_next().await {
        created??;
    }
    Ok(())
}

async fn create(client: &reqwest::Client, base: &str, token: &str, name: &str) -> Result<()> {
    let body = json!({
        "name": name,
        "email": format!("{}@example.com", name.to_lowercase().replace(' ', ".")),
        "address": "1 Bench Street",
        "dateOfBirth": "1980-02-29",
    });
    let request = client.post(format!("{base}/api/patients")).bearer_auth(token).json(&body);
    let response = request.send().await?;
    let status = response.status();
    if status != 201 {
        bail!("creating a patient was answered with {status}: {}", response.text().await?);
    }
    Ok(())
}

/// A ward with its database server and its state.
struct Bench {
    server: Server,
    port: u16,
    postgres: Ephemeral,
    broker: Option<Broker>,
    state: tempfile::TempDir,
}

/// A broker, and the server that it keeps its records on.
struct Broker {
    serving: TestBroker,
    _storage: Ephemeral,
}

impl Bench {
    async fn start(through: Through, consumers: Consumers) -> Result<Bench> {
        let broker = match through {
            Through::Postgres => None,
            Through::Kafka => {
                let storage = Postgres::ephemeral().await?;
                let serving = TestBroker::start(&storage.admin_url()).await?;
                Some(Broker { serving, _storage: storage })
            }
        };
        let (postgres, state) = (Postgres::ephemeral().await?, tempfile::tempdir()?);
        let port = tools::free_port()?;
        let server = up(&postgres, broker.as_ref(), state.path(), port, consumers).await?;
        Ok(Bench { server, port, postgres, broker, state })
    }

    /// Stops it and starts it once more, with other consumers.
    async fn again(self, consumers: Consumers) -> Result<Bench> {
        let Bench { server, port, postgres, broker, state } = self;
        server.stop().await?;
        let server = up(&postgres, broker.as_ref(), state.path(), port, consumers).await?;
        Ok(Bench { server, port, postgres, broker, state })
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Those of the services, and the log's where it is in PostgreSQL.
    async fn databases(&self) -> Result<Vec<String>> {
        let names = "SELECT datname::text FROM pg_database WHERE NOT datistemplate";
        let rows = self.connect("postgres").await?.query(names, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn connect(&self, database: &str) -> Result<Client> {
        let mut config: tokio_postgres::Config = self.postgres.admin_url().parse()?;
        let (client, connection) = config.dbname(database).connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

async fn up(
    postgres: &Ephemeral,
    broker: Option<&Broker>,
    state: &Path,
    port: u16,
    consumers: Consumers,
) -> Result<Server> {
    let manifest = state.join("spin.toml");
    std::fs::write(&manifest, application(consumers)?)?;
    let mut command = Command::new(tools::ward()?);
    command.args(["up", "--demo", "--no-listeners"]).arg("--from").arg(&manifest);
    command.args(["--database-url", &postgres.admin_url()]).arg("--state-dir").arg(state);
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--grpc-listen", "127.0.0.1:0"]);
    if let Some(broker) = broker {
        command.args(["--kafka-brokers", &broker.serving.address()]);
    }
    command.env("WARD_LOG", "warn");
    Server::start(command, &format!("http://127.0.0.1:{port}/.well-known/spin/health")).await
}

/// The repository's application with some of its consumers, and paths that hold anywhere.
fn application(consumers: Consumers) -> Result<String> {
    let root = tools::root().display().to_string();
    let text = std::fs::read_to_string(tools::root().join("spin.toml"))?;
    let events = "[application.trigger.kafka]";
    // Guides have to be in the application's own directory.
    let lines = text.split_inclusive('\n').filter(|line| !line.contains("guide = \""));
    let text = lines
        .collect::<String>()
        .replace("\"target/", &format!("\"{root}/target/"))
        .replace("\"components/", &format!("\"{root}/components/"))
        .replace(events, &format!("{events}\ncontracts = \"{root}/wit\""));
    let mut parts = text.split("[[trigger.kafka]]");
    let mut kept = parts.next().context("the manifest is empty")?.to_owned();
    for part in parts {
        // A trigger ends where its table does; what follows it belongs to the application.
        let (trigger, rest) = part.split_once("\n\n").unwrap_or((part, ""));
        let wanted = match consumers {
            Consumers::All => true,
            Consumers::None => false,
            Consumers::Analytics => trigger.contains("component = \"analytics\""),
        };
        if wanted {
            kept += &format!("[[trigger.kafka]]{trigger}\n\n");
        }
        kept += rest;
    }
    Ok(kept)
}
