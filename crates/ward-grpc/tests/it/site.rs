//! A running server with the test application, and a tonic client to it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use token::{Grant, Role, Scopes, Settings, Signer, Trust};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use uuid::Uuid;
use ward_grpc::{Current, Drained, Limits, Metrics, Offer, Options, Server};
use ward_manifest::App;
use ward_serve::Proxies;
use ward_wire::Contract;

use crate::probe::Probe;

/// How long any answer may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The deadline of the component `brief`; the tests that wait for it wait this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

/// The method that asks for a token, the same without, and with little time.
pub(crate) const ASK: &str = "/test.clinic.v1.Desk/Ask";
pub(crate) const ASK_OPENLY: &str = "/open.Desk/Ask";
pub(crate) const ASK_BRIEFLY: &str = "/brief.Desk/Ask";

/// Who the test tokens speak for.
pub(crate) const SUBJECT: Uuid = Uuid::from_u128(7);
pub(crate) const TOKEN_ID: Uuid = Uuid::from_u128(9);
pub(crate) const SESSION: Uuid = Uuid::from_u128(10);

pub(crate) const ISSUER: &str = "https://ward.local/auth";
pub(crate) const AUDIENCE: &str = "ward";

/// Two pairs made for these tests and used nowhere else; the text inside the PEM armour.
const PRIVATE: [&str; 2] = [
    "MC4CAQAwBQYDK2VwBCIEIFgaH+aXpCD9rYxx3m8qjNFgJ6BOo4UNfZ91yuE8ye73",
    "MC4CAQAwBQYDK2VwBCIEIDiyruq+KyJehSO7UqacBrVxqAVGTamqQ/z5lFuWw7WX",
];
const PUBLIC: &str = "MCowBQYDK2VwAyEAxJHo+wFuOVd6oAflaDLcZ+m5rFJYRW+d1WX3gQRzxdA=";

/// The application the tests run: one interface three times, guarded, public and brief.
pub(crate) const MANIFEST: &str = r#"
    spin_manifest_version = 2
    application.name = "clinic"
    [application.trigger.grpc]
    listen = "127.0.0.1:0"
    caller = "pms:common/types.caller"
    token = { public_key = "key", issuer = "https://ward.local/auth", audience = "ward" }
    [[trigger.grpc]]
    component = "desk"
    interface = "test:clinic/desk@1.0.0"
    scopes = { ask = "desk.ask" }
    [[trigger.grpc]]
    component = "desk"
    interface = "test:clinic/desk"
    package = "open"
    public = true
    [[trigger.grpc]]
    component = "brief"
    interface = "test:clinic/desk"
    package = "brief"
    public = true
    [component.desk]
    source = "desk.wasm"
    [component.brief]
    source = "brief.wasm"
    [component.brief.tool.ward]
    deadline = "1s"
"#;

/// What the component asks.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Question {
    #[prost(string, tag = "1")]
    pub(crate) what: String,
    #[prost(uint32, tag = "2")]
    pub(crate) count: u32,
    #[prost(string, tag = "3")]
    pub(crate) padding: String,
    #[prost(int32, optional, tag = "4")]
    pub(crate) mood: Option<i32>,
}

/// What it answers.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answer {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    #[prost(uint32, tag = "2")]
    pub(crate) count: u32,
}

/// A server that is running.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) probe: Probe,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Drained>,
}

/// What is served, with native functions.
pub(crate) fn offer(manifest: &str, probe: &Probe) -> Result<Offer<Probe>, Vec<String>> {
    offer_with(include_str!("../../../../wit/common/common.wit"), manifest, probe)
}

/// The same with another package `pms:common`.
pub(crate) fn offer_with(
    common: &str,
    manifest: &str,
    probe: &Probe,
) -> Result<Offer<Probe>, Vec<String>> {
    let app = App::read(Path::new("spin.toml"), manifest).expect("a valid manifest");
    let sources = [("common.wit", common), ("contract.wit", include_str!("contract.wit"))];
    let contract = |_: &str| Contract::from_sources(&sources).map_err(|error| error.to_string());
    let function =
        |component: &str, _: &str, _: &str| (component != "other").then(|| probe.clone());
    Offer::new(&app, contract, function)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// The options of the test application.
pub(crate) fn options() -> Options {
    let settings = Settings {
        public_key: pem("PUBLIC", PUBLIC),
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
    };
    Options {
        address: "127.0.0.1:0".parse().unwrap(),
        limits: Limits::default(),
        trust: Some(Arc::new(Trust::new(settings).unwrap())),
        revoked: None,
        tls: None,
        proxies: Proxies::default(),
        reflection: true,
        metrics: Metrics::default(),
    }
}

fn pem(label: &str, text: &str) -> String {
    format!("-----BEGIN {label} KEY-----\n{text}\n-----END {label} KEY-----")
}

impl Site {
    /// A server with the default limits.
    pub(crate) async fn new() -> Self {
        Self::start(options()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::start(Options { limits, ..options() }).await
    }

    /// One with other limits of the server.
    pub(crate) async fn serving(server: ward_serve::Limits) -> Self {
        Self::with(Limits { server, ..Limits::default() }).await
    }

    pub(crate) async fn start(options: Options) -> Self {
        Self::launch(MANIFEST, options).await
    }

    /// One of another application.
    pub(crate) async fn serving_manifest(manifest: &str) -> Self {
        Self::launch(manifest, options()).await
    }

    async fn launch(manifest: &str, options: Options) -> Self {
        let probe = Probe::new();
        let offer = offer(manifest, &probe).expect("a valid contract");
        let server = Server::bind(Current::fixed(offer), options).await.expect("a free port");
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { stopped.await.unwrap_or_default() };
        let running = tokio::spawn(server.run(shutdown));
        let (gate, calls) = (probe.gate.clone(), probe.calls.clone());
        Self { address, gate, calls, probe, stop: Some(stop), running }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::new(self.channel().await)
    }

    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.expect("a connection")
    }

    /// How many calls reached the function.
    pub(crate) fn reached(&self) -> usize {
        self.calls.load(Relaxed)
    }

    /// Waits until so many calls are in the function.
    pub(crate) async fn reached_by(&self, calls: usize) {
        let reached = async {
            while self.reached() < calls {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the calls reach the function");
    }

    /// Asks the server to stop; returns at once.
    pub(crate) fn stop(&mut self) {
        self.stop.take().expect("not yet stopped").send(()).expect("running");
    }

    pub(crate) async fn drained(self) -> Drained {
        tokio::time::timeout(PATIENCE, self.running).await.expect("stops in time").unwrap()
    }
}

/// A client that asks questions.
#[derive(Clone)]
pub(crate) struct Client {
    grpc: tonic::client::Grpc<Channel>,
}

impl Client {
    pub(crate) fn new(channel: Channel) -> Self {
        let grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(16 << 20);
        Self { grpc }
    }

    /// One that sends compressed and takes compressed.
    pub(crate) fn gzip(self) -> Self {
        let gzip = CompressionEncoding::Gzip;
        Self { grpc: self.grpc.send_compressed(gzip).accept_compressed(gzip) }
    }

    /// One call to any path.
    pub(crate) async fn call(
        &self,
        path: &'static str,
        request: Request<Question>,
    ) -> Result<Response<Answer>, Status> {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
        let path = http::uri::PathAndQuery::from_static(path);
        let call = grpc.unary(request, path, ProstCodec::<Question, Answer>::default());
        tokio::time::timeout(PATIENCE, call).await.expect("an answer")
    }

    /// A question to the public method.
    pub(crate) async fn ask(&self, what: &str, count: u32) -> Result<Answer, Status> {
        self.call(ASK_OPENLY, question(what, count)).await.map(Response::into_inner)
    }
}

/// The server's limits by default.
pub(crate) fn defaults() -> ward_serve::Limits {
    Limits::default().server
}

/// A question.
pub(crate) fn question(what: &str, count: u32) -> Request<Question> {
    Request::new(Question { what: what.to_owned(), count, ..Question::default() })
}

/// A question with a value of `authorization`.
pub(crate) fn authorized(what: &str, authorization: &str) -> Request<Question> {
    let mut request = question(what, 0);
    request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    request
}

/// Signs a token with the key the server trusts (0) or with another (1). It allows what there is.
pub(crate) fn token(key: usize, issuer: &str, audience: &str, issued_at: u64) -> String {
    token_for("desk.ask desk.close", key, issuer, audience, issued_at)
}

/// A token that is good and allows this.
pub(crate) fn token_allowing(scopes: &str) -> String {
    token_for(scopes, 0, ISSUER, AUDIENCE, now())
}

fn token_for(scopes: &str, key: usize, issuer: &str, audience: &str, issued_at: u64) -> String {
    let signer = Signer::new(&pem("PRIVATE", PRIVATE[key]), issuer, audience).unwrap();
    let role = Role::parse("ADMIN").unwrap();
    let (scopes, session) = (Scopes::parse(scopes).unwrap(), SESSION);
    let grant = Grant { subject: SUBJECT, role, scopes, session, token_id: TOKEN_ID };
    signer.sign(grant, issued_at).unwrap().0
}

/// A token that is good.
pub(crate) fn good_token() -> String {
    token(0, ISSUER, AUDIENCE, now())
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
