//! Honest clients: a few requests of each kind, on connections of their own, as people who have
//! just arrived make them. An answer is right when it says what it says on a quiet day.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use reqwest::Client;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::deeds::Deed;
use super::{HOME, http2, token};
use crate::{DEMO_EMAIL, DEMO_PASSWORD, Ward};

/// Between an answer and the next request of the same client.
const PAUSE: Duration = Duration::from_millis(20);

/// What an honest client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Health,
    Login,
    Patients,
    Analytics,
    Grpc,
    Stream,
    Watch,
    Reflection,
}

/// What became of the requests of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// How long right and wrong answers took, unsorted.
    pub(super) took: Vec<Duration>,
    /// What wrong answers were.
    pub(super) wrong: Vec<String>,
}

/// Tallies by kind.
pub(super) type Tallies = BTreeMap<Kind, Tally>;

/// Where honest clients go.
#[derive(Debug, Clone)]
pub(super) struct Honest {
    gateway: String,
    grpc: String,
    token: String,
    kinds: Vec<Kind>,
    patience: Duration,
}

impl Honest {
    /// Clients of every kind, and of those that an attack takes from others.
    pub(super) fn of(ward: &Ward, deed: Deed, patience: Duration) -> Honest {
        let grpc = ward.listener("grpc").expect("a gRPC listener");
        let mut kinds =
            vec![Kind::Health, Kind::Login, Kind::Patients, Kind::Analytics, Kind::Grpc];
        match deed {
            Deed::Streams => kinds.push(Kind::Stream),
            Deed::Watches => kinds.extend([Kind::Watch, Kind::Reflection]),
            _ => {}
        }
        Honest {
            gateway: ward.gateway().to_owned(),
            grpc: grpc.trim_start_matches("http://").to_owned(),
            token: token(ward.forge()),
            kinds,
            patience,
        }
    }

    /// Clients of every kind work for this long; requests that have begun are waited for.
    pub(super) async fn work(&self, window: Duration) -> Tallies {
        let mut clients = JoinSet::new();
        for kind in self.kinds.clone() {
            let honest = self.clone();
            clients.spawn(async move { (kind, honest.work_as(kind, window).await) });
        }
        clients.join_all().await.into_iter().collect()
    }

    async fn work_as(&self, kind: Kind, window: Duration) -> Tally {
        let (start, mut tally) = (Instant::now(), Tally::default());
        while start.elapsed() < window {
            let asked = Instant::now();
            let answer = timeout(self.patience, self.ask(kind)).await;
            tally.took.push(asked.elapsed());
            match answer {
                Ok(Ok(())) => {}
                Ok(Err(wrong)) => tally.wrong.push(wrong),
                Err(_) => tally.wrong.push("no answer".to_owned()),
            }
            sleep(PAUSE).await;
        }
        tally
    }

    async fn ask(&self, kind: Kind) -> Result<(), String> {
        let client = client(HOME);
        let url = |path: &str| format!("{}{path}", self.gateway);
        let get = |path: &str| client.get(url(path)).bearer_auth(&self.token);
        let request = match kind {
            Kind::Grpc => return self.call().await,
            Kind::Watch => return self.stream("grpc.health.v1.Health/Watch", (b"", true)).await,
            Kind::Reflection => {
                let method = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
                // Field 7, an empty text: which services there are.
                return self.stream(method, (&[0x3a, 0], false)).await;
            }
            Kind::Health => get("/.well-known/spin/health"),
            Kind::Patients => get("/api/patients?limit=1"),
            Kind::Analytics => get("/api/analytics/summary"),
            Kind::Stream => get("/api/analytics/stream"),
            Kind::Login => {
                let body = serde_json::json!({"email": DEMO_EMAIL, "password": DEMO_PASSWORD});
                client.post(url("/auth/login")).json(&body)
            }
        };
        let answer = request.send().await.map_err(|error| why(&error))?;
        let status = answer.status().as_u16();
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    }

    /// Asks for an account that nobody has.
    async fn call(&self) -> Result<(), String> {
        let id = Uuid::new_v4().to_string();
        // Field 1, a text of 36 bytes.
        let message = [&[0x0a, 36], id.as_bytes()].concat();
        let method = "pms.billing.v1.Accounts/GetAccount";
        let status = http2::status(&self.grpc, HOME, method, &self.token, &message).await?;
        if status == "5" { Ok(()) } else { Err(format!("grpc-status {status}")) }
    }

    /// Opens a stream, and waits for its first message.
    async fn stream(&self, method: &str, message: (&[u8], bool)) -> Result<(), String> {
        http2::first(&self.grpc, HOME, method, &self.token, message).await
    }
}

/// A client that opens a connection for each request.
pub(super) fn client(from: Ipv4Addr) -> Client {
    let builder = Client::builder().no_proxy().pool_max_idle_per_host(0);
    // From where everything comes anyway nothing is bound: see `sockets::connect`.
    let from = (from != HOME).then(|| std::net::IpAddr::from(from));
    builder.local_address(from).build().expect("a client")
}

fn why(error: &reqwest::Error) -> String {
    let what = if error.is_connect() { "no connection" } else { "connection lost" };
    what.to_owned()
}
