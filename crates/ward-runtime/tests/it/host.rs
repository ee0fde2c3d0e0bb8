//! The one place that touches the runtime's interface: makes an application in a directory of its
//! own, loads it, and asks it things.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::channel::oneshot;
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use ward_manifest::{App, RuntimeConfig, Variables};
use ward_postgres::Address;
use ward_runtime::{Body, BodyError, CallContext, HandleError, HostOptions, LoadError, Release};

/// A loaded application.
pub(crate) struct Host {
    pub(crate) host: ward_runtime::Host,
    pub(crate) release: Arc<Release>,
    /// Where `spin.toml`, files and state are; the last owner removes it.
    pub(crate) directory: Arc<TempDir>,
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The values of a response header, in order.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

/// An application to be: what follows the head of `spin.toml`, and what goes with it.
pub(crate) struct Plan {
    manifest: String,
    config: String,
    options: HostOptions,
    directory: Arc<TempDir>,
}

/// Begins an application. In `manifest`, `{guest-x}` stands for the wasm file of test guest `x`.
pub(crate) fn plan(manifest: &str) -> Plan {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let options = HostOptions { quiet: true, ..HostOptions::default() };
    Plan { manifest: manifest.to_owned(), config: String::new(), options, directory }
}

/// Begins an application of the probe guest alone, which may reach the hosts of `allowed`.
pub(crate) fn probe(allowed: &[String]) -> Plan {
    plan(&format!(
        r#"
[[trigger.http]]
id = "probe"
route = "/..."
component = "probe"

[component.probe]
source = "{{guest-probe}}"
allowed_outbound_hosts = {allowed:?}
"#
    ))
}

impl Plan {
    /// `runtime-config.toml`.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config = text.to_owned();
        self
    }

    /// `--env`.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.options.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The database of stores that are kept in PostgreSQL.
    pub(crate) fn key_value(mut self, url: &str) -> Self {
        self.options.key_value = Some(Arc::new(Address::parse(url).unwrap()));
        self
    }

    /// A file below the application's directory.
    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        let path = self.directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// The application's directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes over the directory of another application, and with it its state.
    pub(crate) fn again_in(mut self, host: &Host) -> Self {
        self.directory = host.directory.clone();
        self
    }

    pub(crate) fn load(self) -> Host {
        self.try_load().unwrap_or_else(|error| panic!("{error} ({:?})", error.help))
    }

    pub(crate) fn try_load(mut self) -> Result<Host, LoadError> {
        let root = self.directory.path();
        let manifest = format!(
            "spin_manifest_version = 2\n[application]\nname = \"test\"\n{}",
            guests(&self.manifest)
        );
        std::fs::write(root.join("spin.toml"), manifest).unwrap();
        let app = App::load(root).unwrap_or_else(|findings| panic!("{findings:?}"));
        self.options.config =
            RuntimeConfig::read(Path::new("runtime-config.toml"), &self.config).unwrap();
        self.options.state_dir = root.join("state");
        share_cache(&self.options.state_dir);
        let none = BTreeMap::new();
        let variables = Variables::new(&app, BTreeMap::new(), &self.options.config, &none);
        let variables = Arc::new(variables.unwrap_or_else(|findings| panic!("{findings:?}")));
        // Loading compiles; other tests go on meanwhile.
        let (host, release) = tokio::task::block_in_place(|| {
            let host = ward_runtime::Host::open(Arc::new(app), variables, self.options)?;
            let release = Arc::new(host.load()?);
            Ok((host, release))
        })?;
        Ok(Host { host, release, directory: self.directory })
    }
}

impl Host {
    /// What `base` is with `wasm` in the place of a guest.
    pub(crate) fn replace(
        &self,
        base: &Release,
        (guest, wasm): (&str, &[u8]),
    ) -> Result<Arc<Release>, LoadError> {
        let source = self::guest(guest);
        let replaced =
            tokio::task::block_in_place(|| self.host.replace(base, (&source, wasm), &[]));
        replaced.map(Arc::new)
    }

    /// GET `path` of the component behind trigger `trigger`.
    pub(crate) async fn get(&self, trigger: &str, path: &str) -> Result<Answer, HandleError> {
        self.ask(trigger, http::Request::get(url(path)), Bytes::new()).await
    }

    /// GET `path`, which has to work; its body.
    pub(crate) async fn text(&self, trigger: &str, path: &str) -> String {
        let answer = self.get(trigger, path).await.unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// A request with a body; what it needs beside the URL is the caller's.
    pub(crate) async fn ask(
        &self,
        trigger: &str,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Answer, HandleError> {
        let response = self.begin(trigger, request, body).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the body ends as it should").to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// A request whose body ends when it is told to; it is on its way when this returns.
    pub(crate) fn open(&self, trigger: &str, path: &str) -> Open {
        self.open_for(CallContext::default(), trigger, path)
    }

    /// The same on somebody's behalf.
    pub(crate) fn open_for(&self, context: CallContext, trigger: &str, path: &str) -> Open {
        let handler = self.release.http(trigger).expect("the trigger exists");
        let (end, ended) = oneshot::channel::<()>();
        let body =
            stream::once(ended).filter_map(|_| async { None::<Result<Frame<Bytes>, BodyError>> });
        let body = StreamBody::new(body).boxed_unsync();
        let request = http::Request::post(url(path)).body(body).unwrap();
        let answer = tokio::spawn(async move {
            let body = handler.handle(request, context).await?.into_body();
            let body = body.collect().await.expect("the body ends as it should").to_bytes();
            Ok(String::from_utf8(body.to_vec()).unwrap())
        });
        Open { end, answer }
    }

    /// Waits only until the response begins.
    pub(crate) async fn begin(
        &self,
        trigger: &str,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<http::Response<Body>, HandleError> {
        self.begin_for(CallContext::default(), trigger, request, body).await
    }

    /// The same on somebody's behalf.
    pub(crate) async fn begin_for(
        &self,
        context: CallContext,
        trigger: &str,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<http::Response<Body>, HandleError> {
        let handler = self.release.http(trigger).expect("the trigger exists");
        let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
        handler.handle(request.body(body).unwrap(), context).await
    }
}

/// A request that has not been sent whole.
pub(crate) struct Open {
    end: oneshot::Sender<()>,
    answer: JoinHandle<Result<String, HandleError>>,
}

impl Open {
    /// Ends its body; what is answered then.
    pub(crate) async fn end(self) -> Result<String, HandleError> {
        drop(self.end);
        self.answer.await.unwrap()
    }
}

/// Asks again and again, for some time, until the answer is one that is waited for.
pub(crate) async fn until<T: std::fmt::Debug>(
    ask: impl AsyncFn() -> T,
    wanted: impl Fn(&T) -> bool,
) -> T {
    let start = Instant::now();
    loop {
        let answer = ask().await;
        if wanted(&answer) {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "still {answer:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A path as the absolute URL that the runtime expects.
pub(crate) fn url(path: &str) -> String {
    format!("http://ward.test{path}")
}

/// A value made fit for a query string.
pub(crate) fn quote(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The wasm file of a test guest.
pub(crate) fn guest(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let path = target.join(format!("wasm32-wasip2/release/guest_{name}.wasm"));
    assert!(
        path.exists(),
        "{} is missing; `cargo xtask test` builds it, and so does `cargo build --target \
         wasm32-wasip2 --release -p guest-{name}`",
        path.display()
    );
    path
}

/// `{guest-x}` replaced by paths.
fn guests(manifest: &str) -> String {
    let mut parts = manifest.split("{guest-");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').expect("{guest-x}");
        text.push_str(guest(name).to_str().unwrap());
        text.push_str(rest);
    }
    text
}

/// All applications of these tests share one compile cache: each guest is compiled once, and not
/// once for each test.
fn share_cache(state_dir: &Path) {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ward-runtime-cache");
    std::fs::create_dir_all(&shared).unwrap();
    std::fs::create_dir_all(state_dir).unwrap();
    let link = state_dir.join("cache");
    if !link.exists() {
        std::os::unix::fs::symlink(shared, link).unwrap();
    }
}
