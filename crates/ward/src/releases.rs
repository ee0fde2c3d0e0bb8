//! What is served, and how something else takes its place: a release is made beside the one that
//! serves, checked, tried, and published by one store; what has begun by then ends where it began.
//! Whether it is a start, a swap or the way back makes no difference here, and none to the
//! triggers, which ask for what is current and know no more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;
use ward_events::{Consume, Consumer};
use ward_grpc::Offer;
use ward_http::Routes;
use ward_manifest::App;
use ward_runtime::{Digest, Function, Host, HttpHandler, Release};
use ward_serve::Current;

use crate::commands::shown;
use crate::events::Component;
use crate::failure::Failure;
use crate::grpc;
use crate::limits::REVISIONS_KEPT_MAX;

/// One release as the triggers have it.
#[derive(Debug)]
struct Published {
    release: Arc<Release>,
    routes: Arc<Routes<HttpHandler>>,
    offer: Arc<Offer<Function>>,
    /// By the trigger.
    consumers: BTreeMap<String, Arc<Component>>,
}

impl Published {
    /// What the triggers of `app` make of a release.
    fn new(app: &App, host: &Host, release: Release) -> Result<Self, Failure> {
        let release = Arc::new(release);
        let routes = Routes::new(app, |trigger| release.http(trigger)).map_err(Failure::new)?;
        let offer = grpc::offer(app, host, &release)?;
        let consumers = app.kafka_triggers.iter().map(|trigger| {
            let component = Component::of(trigger, &release)
                .map_err(Failure::because(format!("the trigger {}", trigger.id)))?;
            Ok((trigger.id.clone(), Arc::new(component)))
        });
        let consumers = consumers.collect::<Result<_, Failure>>()?;
        Ok(Self { routes: Arc::new(routes), offer: Arc::new(offer), consumers, release })
    }
}

/// The application that is served.
pub(crate) struct Releases {
    app: Arc<App>,
    host: Arc<Host>,
    current: ArcSwap<Published>,
    /// Held by whoever changes something, until it is done or refused.
    history: Mutex<History>,
}

/// What each component's file has been, the oldest first; by the component's id.
type History = BTreeMap<String, Vec<Kept>>;

/// A file that a component was made of, and a release that has what was made of it.
#[derive(Clone)]
struct Kept {
    digest: Digest,
    since: DateTime<Utc>,
    release: Arc<Release>,
}

/// Why nothing was replaced. The sentences are for operators.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no such component, or nothing to go back to.
    Unknown(String),
    /// It cannot serve in the place of the other.
    Unfit(String),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let mut text = failure.messages().join("; ");
        if let Some(advice) = failure.advice() {
            text.push_str(&format!(" ({advice})"));
        }
        Self::Unfit(text)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unknown(text) | Self::Unfit(text)) = self;
        f.write_str(text)
    }
}

/// What was replaced.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    component: String,
    /// The digest of the file that serves now.
    digest: String,
    /// That of the one before.
    before: String,
    /// The components that were made anew: those that contain the file.
    replaced: Vec<String>,
    took_ms: f64,
}

impl Change {
    /// Whether another file serves than before.
    pub(crate) fn is_any(&self) -> bool {
        self.digest != self.before
    }
}

/// A component's files, for those who look.
#[derive(Debug, Serialize)]
pub(crate) struct Revisions {
    component: String,
    revisions: Vec<ShownRevision>,
}

#[derive(Debug, Serialize)]
struct ShownRevision {
    digest: String,
    /// RFC 3339, UTC.
    since: String,
    serving: bool,
}

impl Releases {
    /// Begins with this release.
    pub(crate) fn new(
        app: Arc<App>,
        host: Arc<Host>,
        first: Release,
    ) -> Result<Arc<Self>, Failure> {
        let published = Published::new(&app, &host, first)?;
        let release = &published.release;
        let first = app.components.values().filter_map(|component| {
            let digest = release.digest(&component.source)?.clone();
            let kept = Kept { digest, since: Utc::now(), release: release.clone() };
            Some((component.id.clone(), vec![kept]))
        });
        let history = Mutex::new(first.collect());
        Ok(Arc::new(Self { current: ArcSwap::from_pointee(published), app, host, history }))
    }

    /// The HTTP trigger's view.
    pub(crate) fn routes(self: &Arc<Self>) -> Current<Routes<HttpHandler>> {
        let releases = self.clone();
        Current::new(move || releases.current.load().routes.clone())
    }

    /// The gRPC trigger's view.
    pub(crate) fn offer(self: &Arc<Self>) -> Current<Offer<Function>> {
        let releases = self.clone();
        Current::new(move || releases.current.load().offer.clone())
    }

    /// The view of a trigger of events; `None` where there is none of this id.
    pub(crate) fn consumer(self: &Arc<Self>, trigger: &str) -> Option<Consumer> {
        let first = self.current.load().consumers.get(trigger)?.clone();
        let (releases, trigger) = (self.clone(), trigger.to_owned());
        Some(Box::new(move || -> Arc<dyn Consume> {
            let published = releases.current.load();
            published.consumers.get(&trigger).unwrap_or(&first).clone()
        }))
    }

    /// Puts `wasm` in the place of a component's file. When this returns, what begins is answered
    /// by it; if it is refused, nothing has changed.
    pub(crate) async fn swap(&self, component: &str, wasm: &[u8]) -> Result<Change, Refused> {
        let mut history = self.history.lock().await;
        let kept = history.get(component).cloned().unwrap_or_default();
        let change = self.replace(component, wasm.to_vec(), kept).await?;
        self.note(&mut history, component);
        Ok(change)
    }

    /// Puts the file before the present one back.
    pub(crate) async fn roll_back(&self, component: &str) -> Result<Change, Refused> {
        let history = self.history.lock().await;
        let source = self.source(component)?;
        let kept = history.get(component).cloned().unwrap_or_default();
        let release = self.current.load().release.clone();
        let serving = release.digest(&source);
        let at = kept.iter().rposition(|kept| Some(&kept.digest) == serving);
        let earlier = at.and_then(|at| at.checked_sub(1)).and_then(|at| kept.get(at).cloned());
        let earlier = earlier.ok_or_else(|| {
            Refused::Unknown(format!("`{component}` has served nothing else since the start"))
        })?;
        let wasm = self.host.wasm(&earlier.release, &source).map_err(|error| {
            Refused::Unfit(format!("the copy of what `{component}` was is lost: {error}"))
        })?;
        self.replace(component, wasm, kept).await
    }

    /// What each component's file is and was.
    pub(crate) async fn revisions(&self) -> Vec<Revisions> {
        let history = self.history.lock().await;
        let release = self.current.load().release.clone();
        let component = |(id, kept): (&String, &Vec<Kept>)| {
            let serving = self.app.components.get(id).and_then(|it| release.digest(&it.source));
            let revisions = kept.iter().rev().map(|kept| ShownRevision {
                digest: kept.digest.to_string(),
                since: kept.since.to_rfc3339_opts(SecondsFormat::Millis, true),
                serving: Some(&kept.digest) == serving,
            });
            Revisions { component: id.clone(), revisions: revisions.collect() }
        };
        history.iter().map(component).collect()
    }

    /// The application, as `ward app` shows it.
    pub(crate) fn shown(&self) -> Value {
        shown(&self.app)
    }

    fn source(&self, component: &str) -> Result<PathBuf, Refused> {
        let entry = self.app.components.get(component);
        let used = entry.filter(|it| self.current.load().release.digest(&it.source).is_some());
        used.map(|entry| entry.source.clone()).ok_or_else(|| {
            let known: Vec<&str> = self.app.components.keys().map(String::as_str).collect();
            let what = if entry.is_some() { "nothing calls" } else { "there is no component" };
            Refused::Unknown(format!("{what} `{component}`; there are: {}", known.join(", ")))
        })
    }

    /// Makes, checks, tries and publishes. Only whoever has the history may call this.
    async fn replace(
        &self,
        component: &str,
        wasm: Vec<u8>,
        kept: Vec<Kept>,
    ) -> Result<Change, Refused> {
        let began = Instant::now();
        let source = self.source(component)?;
        let before = self.current.load_full();
        let digest = |of: &Release| of.digest(&source).map(ToString::to_string);
        let serving = digest(&before.release).unwrap_or_default();
        let change = |digest: String, replaced: Vec<String>| Change {
            component: component.to_owned(),
            digest,
            before: serving.clone(),
            replaced,
            took_ms: began.elapsed().as_secs_f64() * 1e3,
        };
        if Digest::of(&wasm).as_str() == serving {
            return Ok(change(serving.clone(), Vec::new()));
        }
        let made = self.make(source.clone(), wasm, before.release.clone(), kept).await?;
        self.check(&before, &made)?;
        made.release.try_out(&before.release).await.map_err(Failure::from)?;
        let replaced = made.release.differs(&before.release).map(str::to_owned).collect();
        let digest = digest(&made.release).unwrap_or_default();
        self.current.store(Arc::new(made));
        let change = change(digest, replaced);
        let Change { digest, before, took_ms, .. } = &change;
        let replaced = change.replaced.join(",");
        tracing::info!(component, digest, before, replaced, took_ms, "a component was replaced");
        Ok(change)
    }

    /// Compiling blocks; what comes meanwhile is answered by what serves.
    async fn make(
        &self,
        source: PathBuf,
        wasm: Vec<u8>,
        base: Arc<Release>,
        kept: Vec<Kept>,
    ) -> Result<Published, Failure> {
        let (app, host) = (self.app.clone(), self.host.clone());
        let making = tokio::task::spawn_blocking(move || {
            let kept: Vec<Arc<Release>> = kept.into_iter().map(|kept| kept.release).collect();
            let release = host.replace(&base, (Path::new(&source), &wasm), &kept)?;
            Published::new(&app, &host, release)
        });
        making.await.map_err(Failure::because("making the release"))?
    }

    /// What others rely on has to be there still, as it was.
    fn check(&self, before: &Published, made: &Published) -> Result<(), Failure> {
        for (trigger, consumer) in &before.consumers {
            if !made.consumers.get(trigger).is_some_and(|it| it.takes_the_same(consumer)) {
                let text = format!("the trigger {trigger}: the function takes other records");
                return Err(Failure::new(text).help("restart to change what is consumed"));
            }
        }
        let broken = grpc::broken(&self.app, &self.host, (&before.release, &made.release))?;
        if broken.is_empty() { Ok(()) } else { Err(Failure::all(broken)) }
    }

    fn note(&self, history: &mut History, component: &str) {
        let published = self.current.load();
        let entry = self.app.components.get(component);
        let digest = entry.and_then(|entry| published.release.digest(&entry.source));
        let Some(digest) = digest else { return };
        let kept = history.entry(component.to_owned()).or_default();
        // What serves again is the newest; a file is in the list once.
        kept.retain(|kept| kept.digest != *digest);
        let (digest, release) = (digest.clone(), published.release.clone());
        kept.push(Kept { digest, since: Utc::now(), release });
        let surplus = kept.len().saturating_sub(REVISIONS_KEPT_MAX);
        kept.drain(..surplus);
    }
}
