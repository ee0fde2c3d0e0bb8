//! A running server with the test application, and plain HTTP/1 requests to it.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use ward_http::{Current, Drained, Limits, Options, Routes, Server, listeners};
use ward_manifest::App;

use crate::probe::Probe;

/// How long any answer may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The application the tests run.
const MANIFEST: &str = r#"
    spin_manifest_version = 2
    [application]
    name = "clinic"
    version = "1.2.3"
    [application.tool.ward]
    listen = "127.0.0.1:0"
    listeners = { one = "127.0.0.1:0" }
    [[trigger.http]]
    id = "one-0"
    route = "/one/..."
    component = "one"
    [[trigger.http]]
    id = "one-1"
    route = "/one/by-id/:patient_id"
    component = "one"
    [[trigger.http]]
    id = "two-2"
    route = "/two/exact"
    component = "two"
    [[trigger.http]]
    id = "two-6"
    route = "/long/..."
    component = "two"
    [[trigger.http]]
    id = "one-3"
    route = "/twice"
    component = "one"
    [[trigger.http]]
    id = "two-4"
    route = "/twice"
    component = "two"
    [[trigger.http]]
    id = "hidden-5"
    route = { private = true }
    component = "hidden"
    [[trigger.http]]
    route = "/robots.txt"
    static_response = { status_code = 203, headers = { x-kind = "static" }, body = "none" }
    [component.one]
    source = "one.wasm"
    [component.two]
    source = "two.wasm"
    [component.two.tool.ward]
    spin_headers = false
    [component.hidden]
    source = "hidden.wasm"
"#;

/// A server that is running.
pub(crate) struct Site {
    pub(crate) gateway: SocketAddr,
    /// The listener of component `one`.
    pub(crate) service: SocketAddr,
    /// Each permit lets one `…/wait` answer.
    pub(crate) gate: Arc<Semaphore>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Drained>,
}

impl Site {
    /// A server with the default limits.
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::start(Options { limits, ..Options::default() }).await
    }

    pub(crate) async fn start(options: Options) -> Self {
        let app = App::read(Path::new("spin.toml"), MANIFEST).expect("a valid manifest");
        let gate = Arc::new(Semaphore::new(0));
        let handler = |trigger: &str| {
            let name = trigger.split('-').next()?.to_owned();
            Some(Probe { name, gate: gate.clone() })
        };
        let routes = Current::fixed(Routes::new(&app, handler).expect("valid routes"));
        let server = Server::bind(listeners(&app), &routes, options).expect("free ports");
        let bound: Vec<_> = server.bound().iter().map(|bound| bound.address).collect();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { stopped.into_future().await.unwrap_or_default() };
        let running = tokio::spawn(server.run(shutdown));
        Self { gateway: bound[0], service: bound[1], gate, stop: Some(stop), running }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway)
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        client().get(self.url(path)).send().await.expect("an answer")
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        self.get(path).await.text().await.expect("a text")
    }

    /// Asks the server to stop; returns at once.
    pub(crate) fn stop(&mut self) {
        self.stop.take().expect("not yet stopped").send(()).expect("running");
    }

    pub(crate) async fn drained(self) -> Drained {
        tokio::time::timeout(PATIENCE, self.running).await.expect("stops in time").unwrap()
    }
}

/// A client with its own connections.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(PATIENCE).build().unwrap()
}

/// One with another address of this machine.
pub(crate) fn client_from(address: [u8; 4]) -> reqwest::Client {
    let builder = reqwest::Client::builder().timeout(PATIENCE);
    builder.local_address(std::net::IpAddr::from(address)).build().unwrap()
}

/// One that speaks HTTP/2 from the first byte.
pub(crate) fn client_http2() -> reqwest::Client {
    reqwest::Client::builder().timeout(PATIENCE).http2_prior_knowledge().build().unwrap()
}

/// Asserts that an answer is a problem document with this status and type, and returns it.
pub(crate) async fn problem(
    response: reqwest::Response,
    status: u16,
    slug: &str,
) -> serde_json::Value {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let text = response.text().await.unwrap();
    assert!(!text.contains(crate::probe::SECRET), "{text}");
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["type"], format!("urn:ward:problem:{slug}"));
    assert_eq!(document["status"], status);
    assert_eq!(document["instance"], format!("urn:uuid:{id}"));
    document
}
