//! What is served, and how something else takes its place: a release is made beside the one that
//! serves, checked, tried, and published by one store; what has begun by then ends where it began.
//! Whether it is a start, a swap, a candidate on trial or the way back makes no difference to the
//! triggers, which ask for what is current and know no more.

mod counts;
mod published;
mod shown;
mod trial;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use chrono::{DateTime, SecondsFormat, Utc};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use tokio::time::sleep;
use ward_events::{CallError, Consume, Consumer};
use ward_grpc::Offer;
use ward_http::Routes;
use ward_manifest::App;
use ward_runtime::{Digest, Function, Host, HttpHandler, Release};
use ward_serve::Current;
use ward_wire::Value as Argument;

use crate::commands::shown;
use crate::failure::Failure;
use crate::grpc;
use crate::limits::REVISIONS_KEPT_MAX;
pub(crate) use counts::Counted;
use published::Published;
pub(crate) use shown::{Change, Refused, Revisions};
use shown::{ShownRevision, ShownTrial};
pub(crate) use trial::Plan;
use trial::{Steps, Trial, Verdict};

/// How often a candidate is compared with what serves.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The application that is served.
pub(crate) struct Releases {
    host: Arc<Host>,
    current: ArcSwap<Published>,
    trial: ArcSwapOption<Trial>,
    /// Held by whoever changes something, until it is done or refused.
    changing: Mutex<()>,
    /// Held by what compiles: to its end, also when nobody waits for that any more.
    compiling: Arc<Semaphore>,
    history: RwLock<History>,
}

/// What each component's file has been, the oldest first; by the component's id.
type History = BTreeMap<String, Vec<Kept>>;

/// A file that a component was made of, and a release that has what was made of it.
#[derive(Clone)]
struct Kept {
    digest: Digest,
    since: DateTime<Utc>,
    release: Arc<Release>,
    /// It was taken back: nobody goes back to it unasked.
    withdrawn: bool,
}

impl Kept {
    fn now(digest: Digest, release: Arc<Release>) -> Self {
        Self { digest, since: Utc::now(), release, withdrawn: false }
    }
}

/// In the place of a component that consumes, where there is none.
struct Nobody;

impl Consume for Nobody {
    fn consume(&self, _: Vec<Argument>) -> BoxFuture<'static, Result<Argument, CallError>> {
        Box::pin(async { Err(CallError::Unavailable("nobody consumes".to_owned())) })
    }

    fn revision(&self) -> String {
        String::new()
    }
}

impl Releases {
    /// Begins with this release.
    pub(crate) fn new(host: Arc<Host>, first: Release) -> Result<Arc<Self>, Failure> {
        let published = Published::new(&host, first)?;
        let release = &published.release;
        let first = host.app().components.values().filter_map(|component| {
            let digest = release.digest(&component.source)?.clone();
            Some((component.id.clone(), vec![Kept::now(digest, release.clone())]))
        });
        let history = RwLock::new(first.collect());
        let (current, trial) = (ArcSwap::from_pointee(published), ArcSwapOption::empty());
        let (changing, compiling) = (Mutex::default(), Arc::new(Semaphore::new(1)));
        Ok(Arc::new(Self { host, current, trial, changing, compiling, history }))
    }

    /// What answers that which begins now.
    fn pick(&self) -> Arc<Published> {
        match &*self.trial.load() {
            Some(trial) if trial.takes() => trial.candidate.clone(),
            _ => self.current.load_full(),
        }
    }

    /// The HTTP trigger's view.
    pub(crate) fn routes(self: &Arc<Self>) -> Current<Routes<Counted<HttpHandler>>> {
        let releases = self.clone();
        Current::new(move || releases.pick().routes.clone())
    }

    /// The gRPC trigger's view.
    pub(crate) fn offer(self: &Arc<Self>) -> Current<Offer<Counted<Function>>> {
        let releases = self.clone();
        Current::new(move || releases.pick().offer.clone())
    }

    /// The view of a trigger of events; `None` where there is none of this id.
    pub(crate) fn consumer(self: &Arc<Self>, trigger: &str) -> Option<Consumer> {
        // Every release has the manifest's triggers, or is none.
        self.current.load().consumer(trigger)?;
        let (releases, trigger) = (self.clone(), trigger.to_owned());
        Some(Box::new(move || -> Arc<dyn Consume> {
            let consumer = releases.pick().consumer(&trigger);
            debug_assert!(consumer.is_some(), "{trigger}");
            consumer.unwrap_or_else(|| Arc::new(Nobody))
        }))
    }

    /// Puts `wasm` in the place of a component's file, for all that begins or a part of it. When
    /// this returns, that is answered by it; if it is refused, nothing has changed.
    pub(crate) async fn swap(
        self: &Arc<Self>,
        component: &str,
        wasm: Vec<u8>,
        plan: &Plan,
    ) -> Result<Change, Refused> {
        let _changing = self.unless_on_trial().await?;
        let prepared = self.prepare(component, wasm, self.kept(component)).await;
        let (made, change) = prepared.inspect_err(|refused| {
            tracing::warn!(component, %refused, "a component was not replaced");
        })?;
        match (made, plan.percent) {
            (None, _) => Ok(change),
            (Some(made), 100) => {
                self.publish(made, &change);
                self.note(component);
                Ok(change)
            }
            (Some(made), percent) => {
                self.begin_trial(component, made, plan, &change.replaced);
                Ok(Change { percent, ..change })
            }
        }
    }

    /// Gives a candidate more, or all.
    pub(crate) async fn promote(&self, component: &str, percent: u8) -> Result<Change, Refused> {
        let _changing = self.changing.lock().await;
        let trial = self.trial_of(component)?;
        self.give(&trial, percent)
    }

    /// Only whoever is changing may call this.
    fn give(&self, trial: &Trial, percent: u8) -> Result<Change, Refused> {
        trial.set_percent(percent);
        let change = self.change_of(trial, percent)?;
        if percent == 100 {
            self.publish(trial.candidate.clone(), &change);
            self.note(&trial.component);
        }
        Ok(change)
    }

    /// Ends a trial, or puts the file before the present one back.
    pub(crate) async fn roll_back(&self, component: &str) -> Result<Change, Refused> {
        let _changing = self.changing.lock().await;
        if let Ok(trial) = self.trial_of(component) {
            let change = self.change_of(&trial, 0)?;
            self.end_trial(&trial, "it was rolled back");
            // What serves is what has served the rest all along.
            let (digest, before) = (change.before, change.digest);
            return Ok(Change { digest, before, replaced: Vec::new(), ..change });
        }
        self.none_on_trial()?;
        let source = self.source(component)?;
        let kept = self.kept(component);
        let release = self.current.load().release.clone();
        let serving = release.digest(&source);
        let at = kept.iter().rposition(|kept| Some(&kept.digest) == serving).unwrap_or_default();
        let mut before = kept.iter().take(at).rev();
        let earlier = before.find(|kept| !kept.withdrawn).cloned().ok_or_else(|| {
            Refused::Unknown(format!("there is nothing that `{component}` could go back to"))
        })?;
        let wasm = self.host.wasm(&earlier.release, &source).map_err(|error| {
            Refused::Unfit(format!("the copy of what `{component}` was is lost: {error}"))
        })?;
        let (made, change) = self.prepare(component, wasm, kept).await?;
        if let Some(made) = made {
            self.publish(made, &change);
            self.note_back(component, &change);
        }
        Ok(change)
    }

    /// What each component's file is and was.
    pub(crate) fn revisions(&self) -> Vec<Revisions> {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner).clone();
        let release = self.current.load().release.clone();
        let component = |(id, kept): (&String, &Vec<Kept>)| {
            let source = self.app().components.get(id).map(|it| &it.source);
            let serving = source.and_then(|source| release.digest(source));
            let revisions = kept.iter().rev().map(|kept| ShownRevision {
                digest: kept.digest.to_string(),
                since: kept.since.to_rfc3339_opts(SecondsFormat::Millis, true),
                serving: Some(&kept.digest) == serving,
                withdrawn: kept.withdrawn,
            });
            let trial = self.trial_of(id).ok().and_then(|trial| {
                let digest = trial.candidate.release.digest(source?)?.to_string();
                let (stable, candidate) = trial.tallies();
                let (stable, candidate) = (stable.into(), candidate.into());
                Some(ShownTrial { digest, percent: trial.percent(), stable, candidate })
            });
            Revisions { component: id.clone(), revisions: revisions.collect(), trial }
        };
        history.iter().map(component).collect()
    }

    /// The application.
    pub(crate) fn app(&self) -> &Arc<App> {
        self.host.app()
    }

    /// The application, as `ward app` shows it.
    pub(crate) fn shown(&self) -> Value {
        shown(self.app())
    }

    /// Whether a candidate is on trial.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.trial.load().is_some()
    }

    async fn unless_on_trial(&self) -> Result<MutexGuard<'_, ()>, Refused> {
        let changing = self.changing.lock().await;
        self.none_on_trial().map(|()| changing)
    }

    fn none_on_trial(&self) -> Result<(), Refused> {
        match &*self.trial.load() {
            None => Ok(()),
            Some(trial) => Err(Refused::Busy(format!(
                "`{}` is on trial with {}%; promote it or roll it back first",
                trial.component,
                trial.percent()
            ))),
        }
    }

    fn kept(&self, component: &str) -> Vec<Kept> {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner);
        history.get(component).cloned().unwrap_or_default()
    }

    fn trial_of(&self, component: &str) -> Result<Arc<Trial>, Refused> {
        let trial = self.trial.load_full().filter(|trial| trial.component == component);
        trial.ok_or_else(|| Refused::Unknown(format!("`{component}` is not on trial")))
    }

    fn source(&self, component: &str) -> Result<PathBuf, Refused> {
        let entry = self.app().components.get(component);
        let used = entry.filter(|it| self.current.load().release.digest(&it.source).is_some());
        used.map(|entry| entry.source.clone()).ok_or_else(|| {
            let known: Vec<&str> = self.app().components.keys().map(String::as_str).collect();
            let what = if entry.is_some() { "nothing calls" } else { "there is no component" };
            Refused::Unknown(format!("{what} `{component}`; there are: {}", known.join(", ")))
        })
    }

    /// Makes, checks and tries. Nothing is made of what serves already. Only whoever is changing
    /// may call this.
    async fn prepare(
        &self,
        component: &str,
        wasm: Vec<u8>,
        kept: Vec<Kept>,
    ) -> Result<(Option<Arc<Published>>, Change), Refused> {
        let began = Instant::now();
        let source = self.source(component)?;
        let before = self.current.load_full();
        if before.release.digest(&source) == Some(&Digest::of(&wasm)) {
            return Ok((None, self.change(component, (&before.release, &before.release))?));
        }
        let made = self.make(source, wasm, before.release.clone(), kept).await?;
        self.check(&before, &made)?;
        made.release.try_out(&before.release).await.map_err(Failure::from)?;
        let change = self.change(component, (&made.release, &before.release))?;
        let took_ms = began.elapsed().as_secs_f64() * 1e3;
        Ok((Some(Arc::new(made)), Change { took_ms, ..change }))
    }

    /// Compiling blocks; what comes meanwhile is answered by what serves.
    async fn make(
        &self,
        source: PathBuf,
        wasm: Vec<u8>,
        base: Arc<Release>,
        kept: Vec<Kept>,
    ) -> Result<Published, Failure> {
        let host = self.host.clone();
        let permit = self.compiling.clone().acquire_owned().await;
        let permit = permit.map_err(Failure::because("compiling"))?;
        let making = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let kept: Vec<Arc<Release>> = kept.into_iter().map(|kept| kept.release).collect();
            let release = host.replace(&base, (Path::new(&source), &wasm), &kept)?;
            Published::new(&host, release)
        });
        making.await.map_err(Failure::because("making the release"))?
    }

    /// What others rely on has to be there still, as it was.
    fn check(&self, before: &Published, made: &Published) -> Result<(), Failure> {
        let mut broken = made.consumes_otherwise(before);
        broken.extend(grpc::broken(&self.host, (&before.release, &made.release))?);
        if broken.is_empty() { Ok(()) } else { Err(Failure::all(broken)) }
    }

    fn publish(&self, made: Arc<Published>, change: &Change) {
        self.current.store(made);
        self.trial.store(None);
        let Change { component, digest, before, took_ms, .. } = change;
        let replaced = change.replaced.join(",");
        tracing::info!(component, digest, before, replaced, took_ms, "a component was replaced");
    }

    /// What serves now is the newest; a file is in the list once.
    fn note(&self, component: &str) {
        let release = self.current.load().release.clone();
        let entry = self.app().components.get(component);
        let digest = entry.and_then(|entry| release.digest(&entry.source).cloned());
        let Some(digest) = digest else { return };
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        let kept = history.entry(component.to_owned()).or_default();
        kept.retain(|kept| kept.digest != digest);
        kept.push(Kept::now(digest, release));
        let surplus = kept.len().saturating_sub(REVISIONS_KEPT_MAX);
        let gone: Vec<Kept> = kept.drain(..surplus).collect();
        // Ends instances, which nobody should wait for.
        drop(history);
        drop(gone);
    }

    /// What serves now has served before; what it took the place of was taken back.
    fn note_back(&self, component: &str, change: &Change) {
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        for kept in history.get_mut(component).into_iter().flatten() {
            if kept.digest.as_str() == change.digest {
                kept.since = Utc::now();
            } else if kept.digest.as_str() == change.before {
                kept.withdrawn = true;
            }
        }
    }

    fn begin_trial(
        self: &Arc<Self>,
        component: &str,
        candidate: Arc<Published>,
        plan: &Plan,
        replaced: &[String],
    ) {
        let stable = self.current.load_full();
        let touched = candidate.release.reaching(replaced);
        let trial = Trial::new(component, (candidate, stable), touched, plan.percent);
        let trial = Arc::new(trial);
        self.trial.store(Some(trial.clone()));
        tracing::info!(component, percent = plan.percent, "a candidate is on trial");
        tokio::spawn(watch(Arc::downgrade(self), trial, Steps::of(plan)));
    }

    fn end_trial(&self, trial: &Trial, why: &str) {
        self.trial.store(None);
        tracing::warn!(component = trial.component, why, "a candidate serves no longer");
    }

    /// What it means for a component that one release takes another's place.
    fn change(
        &self,
        component: &str,
        (made, before): (&Release, &Release),
    ) -> Result<Change, Refused> {
        let source = self.source(component)?;
        let digest = |of: &Release| of.digest(&source).map(ToString::to_string).unwrap_or_default();
        Ok(Change {
            component: component.to_owned(),
            digest: digest(made),
            before: digest(before),
            percent: 100,
            replaced: made.differs(before).map(str::to_owned).collect(),
            took_ms: 0.0,
        })
    }

    fn change_of(&self, trial: &Trial, percent: u8) -> Result<Change, Refused> {
        let releases = (&*trial.candidate.release, &*trial.stable.release);
        Ok(Change { percent, ..self.change(&trial.component, releases)? })
    }
}

/// Compares a candidate with what serves until the trial has ended: one that is worse goes, and
/// one that is not has what its plan says.
async fn watch(releases: std::sync::Weak<Releases>, trial: Arc<Trial>, mut steps: Steps) {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(releases) = releases.upgrade() else { return };
        let verdict = trial.verdict();
        let _changing = releases.changing.lock().await;
        let is_over = !releases.trial.load().as_ref().is_some_and(|it| Arc::ptr_eq(it, &trial));
        if is_over {
            return;
        }
        if let Verdict::Worse(why) = &verdict {
            releases.end_trial(&trial, why);
            return;
        }
        // Somebody may have given it more by hand.
        if let Some(percent) = steps.next(&verdict).filter(|percent| *percent > trial.percent()) {
            let component = &trial.component;
            match releases.give(&trial, percent) {
                Ok(_) => tracing::info!(component, percent, "a candidate has more"),
                Err(refused) => tracing::error!(component, %refused, "a candidate has no more"),
            }
        }
    }
}
