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
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::sleep;
use ward_events::{Consume, Consumer};
use ward_grpc::Offer;
use ward_http::Routes;
use ward_manifest::App;
use ward_runtime::{Digest, Function, Host, HttpHandler, Release};
use ward_serve::Current;

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
    app: Arc<App>,
    host: Arc<Host>,
    current: ArcSwap<Published>,
    trial: ArcSwapOption<Trial>,
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
        let (current, trial) = (ArcSwap::from_pointee(published), ArcSwapOption::empty());
        Ok(Arc::new(Self { app, host, current, trial, history }))
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
        let first = self.current.load().consumer(trigger)?;
        let (releases, trigger) = (self.clone(), trigger.to_owned());
        Some(Box::new(move || -> Arc<dyn Consume> {
            releases.pick().consumer(&trigger).unwrap_or_else(|| first.clone())
        }))
    }

    /// Puts `wasm` in the place of a component's file, for all that begins or a part of it. When
    /// this returns, that is answered by it; if it is refused, nothing has changed.
    pub(crate) async fn swap(
        self: &Arc<Self>,
        component: &str,
        wasm: &[u8],
        plan: &Plan,
    ) -> Result<Change, Refused> {
        let mut history = self.unless_on_trial().await?;
        let kept = history.get(component).cloned().unwrap_or_default();
        let (made, change) = self.prepare(component, wasm.to_vec(), kept).await?;
        match (made, plan.percent) {
            (None, _) => Ok(change),
            (Some(made), 100) => {
                self.publish(made, &change);
                self.note(&mut history, component);
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
        let mut history = self.history.lock().await;
        let trial = self.trial_of(component)?;
        trial.set_percent(percent);
        let change = self.change_of(&trial, percent)?;
        if percent == 100 {
            self.publish(trial.candidate.clone(), &change);
            self.note(&mut history, component);
        }
        Ok(change)
    }

    /// Ends a trial, or puts the file before the present one back.
    pub(crate) async fn roll_back(&self, component: &str) -> Result<Change, Refused> {
        let history = self.history.lock().await;
        if let Ok(trial) = self.trial_of(component) {
            let change = self.change_of(&trial, 0)?;
            self.end_trial(&trial, "it was rolled back");
            return Ok(Change { digest: change.before.clone(), before: change.digest, ..change });
        }
        drop(history);
        let history = self.unless_on_trial().await?;
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
        let (made, change) = self.prepare(component, wasm, kept).await?;
        if let Some(made) = made {
            self.publish(made, &change);
        }
        Ok(change)
    }

    /// What each component's file is and was.
    pub(crate) async fn revisions(&self) -> Vec<Revisions> {
        let history = self.history.lock().await;
        let release = self.current.load().release.clone();
        let component = |(id, kept): (&String, &Vec<Kept>)| {
            let source = self.app.components.get(id).map(|it| &it.source);
            let serving = source.and_then(|source| release.digest(source));
            let revisions = kept.iter().rev().map(|kept| ShownRevision {
                digest: kept.digest.to_string(),
                since: kept.since.to_rfc3339_opts(SecondsFormat::Millis, true),
                serving: Some(&kept.digest) == serving,
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

    /// The application, as `ward app` shows it.
    pub(crate) fn shown(&self) -> Value {
        shown(&self.app)
    }

    async fn unless_on_trial(&self) -> Result<MutexGuard<'_, History>, Refused> {
        let history = self.history.lock().await;
        match &*self.trial.load() {
            None => Ok(history),
            Some(trial) => Err(Refused::Busy(format!(
                "`{}` is on trial with {}%; promote it or roll it back first",
                trial.component,
                trial.percent()
            ))),
        }
    }

    fn trial_of(&self, component: &str) -> Result<Arc<Trial>, Refused> {
        let trial = self.trial.load_full().filter(|trial| trial.component == component);
        trial.ok_or_else(|| Refused::Unknown(format!("`{component}` is not on trial")))
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

    /// Makes, checks and tries. Nothing is made of what serves already. Only whoever has the
    /// history may call this.
    async fn prepare(
        &self,
        component: &str,
        wasm: Vec<u8>,
        kept: Vec<Kept>,
    ) -> Result<(Option<Arc<Published>>, Change), Refused> {
        let began = Instant::now();
        let source = self.source(component)?;
        let before = self.current.load_full();
        let serving = before.release.digest(&source).map(ToString::to_string).unwrap_or_default();
        let digest = Digest::of(&wasm).to_string();
        let change = |replaced: Vec<String>| Change {
            component: component.to_owned(),
            digest: digest.clone(),
            before: serving.clone(),
            percent: 100,
            replaced,
            took_ms: began.elapsed().as_secs_f64() * 1e3,
        };
        if digest == serving {
            return Ok((None, change(Vec::new())));
        }
        let made = self.make(source, wasm, before.release.clone(), kept).await?;
        self.check(&before, &made)?;
        made.release.try_out(&before.release).await.map_err(Failure::from)?;
        let replaced = made.release.differs(&before.release).map(str::to_owned).collect();
        Ok((Some(Arc::new(made)), change(replaced)))
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
        let mut broken = made.consumes_otherwise(before);
        broken.extend(grpc::broken(&self.app, &self.host, (&before.release, &made.release))?);
        if broken.is_empty() { Ok(()) } else { Err(Failure::all(broken)) }
    }

    fn publish(&self, made: Arc<Published>, change: &Change) {
        self.current.store(made);
        self.trial.store(None);
        let Change { component, digest, before, took_ms, .. } = change;
        let replaced = change.replaced.join(",");
        tracing::info!(component, digest, before, replaced, took_ms, "a component was replaced");
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

    fn change_of(&self, trial: &Trial, percent: u8) -> Result<Change, Refused> {
        let source = self.source(&trial.component)?;
        let digest = |of: &Release| of.digest(&source).map(ToString::to_string).unwrap_or_default();
        let (candidate, stable) = (&trial.candidate.release, &trial.stable.release);
        Ok(Change {
            component: trial.component.clone(),
            digest: digest(candidate),
            before: digest(stable),
            percent,
            replaced: candidate.differs(stable).map(str::to_owned).collect(),
            took_ms: 0.0,
        })
    }
}

/// Compares a candidate with what serves until the trial has ended: one that is worse goes, and
/// one that is not has what its plan says.
async fn watch(releases: std::sync::Weak<Releases>, trial: Arc<Trial>, mut steps: Steps) {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(releases) = releases.upgrade() else { return };
        let verdict = trial.verdict();
        let history = releases.history.lock().await;
        let is_over = !releases.trial.load().as_ref().is_some_and(|it| Arc::ptr_eq(it, &trial));
        if is_over {
            return;
        }
        if let Verdict::Worse(why) = &verdict {
            releases.end_trial(&trial, why);
            return;
        }
        drop(history);
        if let Some(percent) = steps.next(&verdict) {
            let component = &trial.component;
            match releases.promote(component, percent).await {
                Ok(_) => tracing::info!(component, percent, "a candidate has more"),
                // Somebody ended it between the two.
                Err(refused) => tracing::debug!(component, %refused, "a trial has ended"),
            }
        }
    }
}
