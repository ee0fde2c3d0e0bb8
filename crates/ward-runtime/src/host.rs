//! What lives as long as the process does, whatever is replaced meanwhile: the engine, the compile
//! cache, the stores and connections that components share, and how much of each component there
//! may be at once. It makes releases and keeps none: which of them serves is for others to say.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ward_manifest::{App, RuntimeConfig, Variables};
use ward_postgres::Address;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::admission::Admissions;
use crate::artifact::{Artifacts, Sources};
use crate::busy::Busy;
use crate::cache::CompileCache;
use crate::capabilities::key_value::KeyValueStore;
use crate::capabilities::postgres::OutboxBell;
use crate::error::LoadError;
use crate::memory::GuestMemory;
use crate::metrics::LinkMetrics;
use crate::networks::Networks;
use crate::outbound::OutboundClient;
use crate::release::Release;
use crate::revision::{self, Revision};
use crate::scheduler::Scheduler;
use crate::services::Services;
use crate::state::State;
use crate::{engine, linker, machine};

/// What the runtime needs beside the application itself.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// Where compiled components, key-value stores and file snapshots live.
    pub state_dir: PathBuf,
    /// The runtime configuration; its default for none.
    pub config: RuntimeConfig,
    /// The database of the key-value stores that are kept in PostgreSQL, for several hosts.
    pub key_value: Option<Arc<Address>>,
    /// `--env`: WASI environment for every component, over the manifest's.
    pub environment: BTreeMap<String, String>,
    /// `--quiet`: what components write to stdout and stderr is dropped.
    pub quiet: bool,
    /// Told of events that components have written.
    pub outbox_bell: OutboxBell,
}

/// For how long what nobody uses stays: whoever goes back to yesterday's build compiles nothing.
const UNUSED_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What all releases share.
pub struct Host {
    pub(crate) app: Arc<App>,
    pub(crate) options: HostOptions,
    pub(crate) engine: Engine,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) memory: Arc<GuestMemory>,
    pub(crate) busy: Busy,
    pub(crate) linker: Linker<State>,
    pub(crate) cache: CompileCache,
    pub(crate) artifacts: Artifacts,
    pub(crate) variables: Arc<Variables>,
    pub(crate) outbound: OutboundClient,
    pub(crate) networks: Arc<Networks>,
    pub(crate) services: Services,
    pub(crate) admissions: Admissions,
    pub(crate) links: LinkMetrics,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("app", &self.app.name).finish_non_exhaustive()
    }
}

impl Host {
    /// Opens what all components of an application share.
    ///
    /// # Errors
    /// What cannot be had of it.
    pub fn open(
        app: Arc<App>,
        variables: Arc<Variables>,
        options: HostOptions,
    ) -> Result<Self, LoadError> {
        let fail = |problem: &dyn Display| LoadError::new(&app.name, problem);
        let scheduler = Scheduler::new();
        let engine::Made { engine, beside_memory_bytes } =
            engine::engine(scheduler.clone()).map_err(|e| fail(&format!("{e:#}")))?;
        let memory = app.settings.guest_memory_bytes.unwrap_or_else(machine::guest_memory);
        let networks = Networks::new(options.config.outbound_networking.clone());
        let cache_dir = options.state_dir.join("cache");
        Ok(Self {
            linker: linker::linker(&engine).map_err(|e| fail(&format!("{e:#}")))?,
            cache: CompileCache::open(&cache_dir).map_err(|e| {
                fail(&format!("the compile cache {} cannot be used: {e}", cache_dir.display()))
            })?,
            artifacts: Artifacts::new(&cache_dir),
            outbound: OutboundClient::new(&options.config, networks.clone())
                .map_err(|e| fail(&e))?,
            services: Services::new(&app, &options, networks.clone(), variables.clone())?,
            networks,
            engine,
            scheduler,
            memory: GuestMemory::new(memory, beside_memory_bytes),
            variables,
            admissions: Admissions::default(),
            busy: Busy::default(),
            links: LinkMetrics::default(),
            options,
            app,
        })
    }

    /// The application.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The application as its files are now: every component that anything calls is compiled
    /// where the cache has nothing, which takes seconds on a first start. Must be called on a
    /// tokio runtime, on a thread that may block.
    ///
    /// # Errors
    /// The first component that cannot be made ready.
    pub fn load(&self) -> Result<Release, LoadError> {
        self.release(Sources::new(), &[])
    }

    /// What `base` is with `wasm` in the place of the file that the manifest calls `source`. What
    /// contains it is made anew; the rest is the very same, warm instances included. A revision
    /// that one of `kept` has is not made again. As [`Host::load`] otherwise.
    ///
    /// # Errors
    /// The first component that cannot be made ready, or that no longer fits those it is linked
    /// with. Nothing has changed then.
    pub fn replace(
        &self,
        base: &Release,
        (source, wasm): (&Path, &[u8]),
        kept: &[Arc<Release>],
    ) -> Result<Release, LoadError> {
        let digest = self.artifacts.keep(wasm).map_err(|error| {
            LoadError::new(&self.app.name, format!("an artifact cannot be copied: {error}"))
        })?;
        let mut sources = base.sources.clone();
        sources.insert(source.to_owned(), digest);
        let known: Vec<&Release> =
            std::iter::once(base).chain(kept.iter().map(Arc::as_ref)).collect();
        self.release(sources, &known)
    }

    /// The release of these sources; what they do not name is read from its file.
    fn release(&self, sources: Sources, known: &[&Release]) -> Result<Release, LoadError> {
        let sources = self.complete(sources)?;
        let made = revision::all(self, &sources, known)?;
        Release::new(self.app.clone(), sources, made)
    }

    /// Adds what the manifest names and nobody has read so far.
    fn complete(&self, mut sources: Sources) -> Result<Sources, LoadError> {
        for id in self.app.components_in_use() {
            for (name, source) in revision::sources(&self.app, id) {
                if !sources.contains_key(source) {
                    let digest = self.artifacts.keep(&revision::read(name, source)?);
                    let digest = digest.map_err(|error| {
                        LoadError::new(name, format!("its file cannot be copied: {error}"))
                    })?;
                    sources.insert(source.to_owned(), digest);
                }
            }
        }
        Ok(sources)
    }

    /// Removes copies and machine code of earlier runs that `release` has no use for, once they are
    /// a day old. Only for whoever has the state directory alone.
    pub fn sweep(&self, release: &Release) {
        let kept = release.sources.values().map(|digest| self.artifacts.path(digest)).collect();
        self.cache.sweep(&kept, UNUSED_KEPT);
    }

    /// The bytes that a release has in the place of the file that the manifest calls `source`.
    ///
    /// # Errors
    /// Nothing in use is made of it, or its copy is gone or damaged.
    pub fn wasm(&self, release: &Release, source: &Path) -> std::io::Result<Vec<u8>> {
        let digest = release.digest(source).ok_or(std::io::ErrorKind::NotFound)?;
        self.artifacts.read(digest)
    }

    /// A key-value store, as the host reads it; `None` where no configuration knows the label.
    pub fn store(&self, label: &str) -> Option<KeyValueStore> {
        KeyValueStore::new(self.services.stores(), label)
    }

    /// Completes when nothing goes on in any instance that answers HTTP requests, whichever release
    /// it is of: no request, no body, and nothing that goes on after an answer.
    pub async fn rest(&self) {
        self.busy.rest().await;
    }

    /// Has shown what is counted.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        self.links.register(registry);
        registry.register_collector(Box::new(self.services.connections()));
    }
}

/// A release is made of revisions by their components' ids.
pub(crate) type Revisions = BTreeMap<String, Arc<Revision>>;
