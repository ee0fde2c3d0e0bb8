//! One build of a component, ready to be called: its dependencies are composed or linked, each
//! chain of middleware stands around it, it is compiled through the cache, and its grants are
//! worked out. It is made once and does not change; the releases that it is in share it, and its
//! warm instances with it.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use ward_manifest::{App, Component as Entry, Dependency, Inherit, InheritedOnly};
use wasmtime::component::InstancePre;

use crate::artifact::Sources;
use crate::call::Callee;
use crate::compose::{self, DeniedImport, Layer};
use crate::error::LoadError;
use crate::handler::HttpInstances;
use crate::host::{Host, Revisions};
use crate::link::{self, Link, LiveLink, Plan};
use crate::outbound::Outbound;
use crate::release::Release;
use crate::state::{ComponentShared, State};
use crate::{files, limits};

/// A component that has been loaded, for those who look.
#[derive(Debug, Clone)]
pub struct LoadedComponent {
    /// The component's id.
    pub id: String,
    /// The names of its middleware, outermost first.
    pub middleware: Vec<String>,
    /// What became of its dependencies.
    pub links: Vec<Link>,
    /// Which build it is: the beginning of the SHA-256 of all that was composed into it.
    pub revision: Arc<str>,
    /// Whether its machine code came from the cache.
    pub cached: bool,
    /// How long composing, compiling and linking took.
    pub took: Duration,
}

/// A component as it is called.
#[derive(Debug)]
pub(crate) struct Revision {
    /// Its live links.
    pub(crate) links: Vec<LiveLink>,
    /// What answers calls other than HTTP.
    pub(crate) callee: Arc<Callee>,
    /// What answers HTTP, for each chain of middleware.
    chains: Vec<(Vec<Dependency>, Arc<HttpInstances>)>,
    loaded: Vec<LoadedComponent>,
    made_of: Sources,
}

impl Revision {
    /// What answers HTTP with this middleware around it.
    pub(crate) fn http(&self, chain: &[Dependency]) -> Option<&Arc<HttpInstances>> {
        self.chains.iter().find(|(layers, _)| layers == chain).map(|(_, instances)| instances)
    }

    /// What was loaded, for each chain of middleware.
    pub(crate) fn loaded(&self) -> &[LoadedComponent] {
        &self.loaded
    }

    /// Makes an instance of each kind. The error is for the log.
    pub(crate) async fn try_out(&self) -> Result<(), String> {
        for (_, instances) in &self.chains {
            instances.instantiate().await.map_err(|error| error.to_string())?;
        }
        self.callee.warm_up().await.map_err(|error| error.to_string())
    }

    fn is_of(&self, sources: &Sources) -> bool {
        self.made_of.iter().all(|(source, digest)| sources.get(source) == Some(digest))
    }
}

impl Drop for Revision {
    /// Whoever has begun something with it has the release that it is in.
    fn drop(&mut self) {
        self.callee.retire();
    }
}

/// A revision of every component in use: one that is known, where it is of these sources, or one
/// that is made now, several at once.
pub(crate) fn all(
    host: &Host,
    sources: &Sources,
    known: &[&Release],
) -> Result<Revisions, LoadError> {
    let mut revisions = Revisions::new();
    let mut missing = Vec::new();
    for id in host.app.components_in_use() {
        let mut earlier = known.iter().filter_map(|release| release.revisions.get(id));
        match earlier.find(|revision| revision.is_of(sources)) {
            Some(revision) => drop(revisions.insert(id.to_owned(), revision.clone())),
            None => missing.push(id),
        }
    }
    let make = |id: &str| {
        let before = known.iter().find_map(|release| release.revisions.get(id));
        Maker { host, sources }.make(id, before.map(Arc::as_ref))
    };
    for (id, made) in at_once(&missing, make) {
        revisions.insert(id.to_owned(), Arc::new(made?));
    }
    Ok(revisions)
}

/// Each on a thread of its own, on the tokio runtime of whoever asks.
fn at_once<'a, T: Send>(
    ids: &[&'a str],
    make: impl Fn(&str) -> Result<T, LoadError> + Sync,
) -> Vec<(&'a str, Result<T, LoadError>)> {
    let runtime = tokio::runtime::Handle::try_current().ok();
    let make = |id: &str| {
        let _entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
        make(id)
    };
    thread::scope(|scope| {
        let making: Vec<_> = ids.iter().map(|id| (*id, scope.spawn(|| make(id)))).collect();
        let panicked = |id| LoadError::new(id, "making it ready ended in a panic");
        making
            .into_iter()
            .map(|(id, made)| (id, made.join().unwrap_or_else(|_| Err(panicked(id)))))
            .collect()
    })
}

/// What a component may be made of, by the names that messages give it: its own file, those of
/// its dependencies, and those of its middleware.
pub(crate) fn sources<'a>(app: &'a App, id: &'a str) -> impl Iterator<Item = (&'a str, &'a Path)> {
    let entry = app.components.get(id).into_iter();
    let layers = chains(app, id).into_iter().flatten();
    entry
        .flat_map(move |entry| {
            let own = std::iter::once((id, entry.source.as_path()));
            own.chain(entry.dependencies.values().map(named))
        })
        .chain(layers.map(named))
}

fn named(dependency: &Dependency) -> (&str, &Path) {
    (&dependency.name, &dependency.source)
}

/// The chains of middleware that stand around a component, each once, in the order of the
/// manifest.
fn chains<'a>(app: &'a App, id: &str) -> Vec<&'a [Dependency]> {
    let mut chains: Vec<&[Dependency]> = Vec::new();
    for trigger in app.http_triggers.iter().filter(|trigger| trigger.component() == Some(id)) {
        let chain = trigger.middleware.as_slice();
        if !chains.contains(&chain) {
            chains.push(chain);
        }
    }
    chains
}

/// Makes revisions of these sources.
struct Maker<'a> {
    host: &'a Host,
    sources: &'a Sources,
}

/// A component before middleware: its bytes, with the dependencies that are composed.
struct Part {
    bytes: Vec<u8>,
    denied: Vec<DeniedImport>,
    shown: Vec<Link>,
    links: Vec<LiveLink>,
    /// What all of its instances share, whatever calls them.
    shared: Arc<ComponentShared>,
    /// What it has been made of so far.
    made_of: Sources,
}

impl Maker<'_> {
    /// `before` is an earlier revision, whose files it has, too: they are taken once.
    fn make(&self, id: &str, before: Option<&Revision>) -> Result<Revision, LoadError> {
        let mut part = self.part(id, before)?;
        let (mut chains, mut loaded, mut callee) = (Vec::new(), Vec::new(), None);
        let around = self::chains(&self.host.app, id);
        // What nothing calls over HTTP is assembled as it is.
        let bare: &[&[Dependency]] = &[&[]];
        for chain in if around.is_empty() { bare } else { &around } {
            let (pre, assembled) = self.assemble(&mut part, chain)?;
            // Calls other than HTTP go to the same compiled component; what middleware stands
            // around it makes no difference to them.
            callee.get_or_insert_with(|| {
                Callee::new(part.shared.clone(), pre.clone(), assembled.revision.clone())
            });
            if !around.is_empty() {
                let instances = HttpInstances::new(part.shared.clone(), pre)?;
                chains.push((chain.to_vec(), Arc::new(instances)));
            }
            loaded.push(assembled);
        }
        let callee = callee.ok_or_else(|| LoadError::new(id, "is called by nobody"))?;
        Ok(Revision { links: part.links, callee, chains, loaded, made_of: part.made_of })
    }

    /// Reads a component, and composes the dependencies into it that are no live links.
    fn part(&self, id: &str, before: Option<&Revision>) -> Result<Part, LoadError> {
        let entry = self
            .host
            .app
            .components
            .get(id)
            .ok_or_else(|| LoadError::new(id, "is called and not declared"))?;
        let mut made_of = Sources::new();
        let bytes = self.read((id, &entry.source), &mut made_of)?;
        let plan = link::plan(entry, &bytes).map_err(|problem| LoadError::new(id, problem))?;
        let files = plan.composed.iter().map(|it| self.read(named(&it.dependency), &mut made_of));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let parts = plan.composed.iter().zip(&files).map(|(composed, bytes)| compose::Part {
            name: &composed.dependency.name,
            bytes,
            inherit: &composed.dependency.inherit,
            imports: &composed.imports,
        });
        let parts: Vec<compose::Part<'_>> = parts.collect();
        let composed =
            compose::dependencies(id, &bytes, &parts).map_err(|error| LoadError::new(id, error))?;
        let shared = Arc::new(self.shared(entry, &plan, before)?);
        let shown = plan.shown();
        let (bytes, denied) = (composed.bytes, composed.denied);
        Ok(Part { bytes, denied, shown, links: plan.links, shared, made_of })
    }

    /// Puts `chain` around a component, compiles the whole, and links it.
    fn assemble(
        &self,
        part: &mut Part,
        chain: &[Dependency],
    ) -> Result<(InstancePre<State>, LoadedComponent), LoadError> {
        let start = Instant::now();
        let id = &*part.shared.id;
        let fail = |problem: &dyn Display| LoadError::new(id, problem);
        let layers = chain.iter().map(|layer| self.read(named(layer), &mut part.made_of));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let layers = chain.iter().zip(&layers);
        let layers: Vec<Layer<'_>> = layers
            .map(|(layer, bytes)| Layer { name: &layer.name, bytes, inherit: &layer.inherit })
            .collect();
        let linked: Vec<&str> = part.links.iter().map(|link| link.import.as_str()).collect();
        let composed =
            compose::middleware(id, &part.bytes, &layers, &linked).map_err(|e| fail(&e))?;
        let Host { cache, engine, linker, links, .. } = self.host;
        let compiled =
            cache.compile(engine, &composed.bytes).map_err(|e| fail(&format!("{e:#}")))?;

        let mut linker = linker.clone();
        let denied: Vec<DeniedImport> = [part.denied.as_slice(), &composed.denied].concat();
        compose::link_denied(&mut linker, &compiled.component, &denied)
            .and_then(|()| link::define(&mut linker, &compiled.component, id, &part.links, links))
            .map_err(|e| fail(&format!("{e:#}")))?;
        let pre = linker.instantiate_pre(&compiled.component).map_err(|error| {
            fail(&format!("cannot be linked: {error:#}")).help(
                "Ward provides WASI 0.2 and 0.3, spin:postgres, spin:variables, spin:key-value",
            )
        })?;
        let loaded = LoadedComponent {
            id: id.to_owned(),
            middleware: chain.iter().map(|layer| layer.name.clone()).collect(),
            links: part.shown.clone(),
            revision: compiled.revision,
            cached: compiled.cached,
            took: start.elapsed(),
        };
        Ok((pre, loaded))
    }

    fn shared(
        &self,
        entry: &Entry,
        plan: &Plan,
        before: Option<&Revision>,
    ) -> Result<ComponentShared, LoadError> {
        let Host { app, options, services, .. } = self.host;
        let id: Arc<str> = entry.id.as_str().into();
        let withheld = withheld(entry, plan);
        let hosts = self.host.variables.allowed_hosts(app, &id, &withheld.allowed_outbound_hosts);
        let hosts = Arc::new(hosts.map_err(|findings| LoadError::new(&id, findings))?);
        let files = match before {
            Some(before) => before.callee.files().cloned(),
            None => self.files(entry)?,
        };
        let mut environment = entry.environment.clone();
        environment.extend(options.environment.clone());
        let settings = self.settings(entry);
        let at_once = settings.concurrent_requests_max.unwrap_or(limits::CALLS_PER_COMPONENT_MAX);
        let share = app.settings.peer_share_percent.into();
        Ok(ComponentShared {
            engine: self.host.engine.clone(),
            scheduler: self.host.scheduler.clone(),
            admission: self.host.admissions.of(&id, at_once as usize, share),
            settings,
            busy: self.host.busy.clone(),
            memory: self.host.memory.clone(),
            environment: environment.into_iter().collect(),
            files,
            networks: self.host.networks.clone(),
            outbound: Outbound::new(id.clone(), hosts.clone(), self.host.outbound.clone()),
            postgres: services.postgres(&id, &hosts),
            key_value: services.key_value(&entry.key_value_stores),
            variables: services.variables(&id, withheld.variables),
            silent: options.quiet,
            retired: AtomicBool::new(false),
            hosts,
            id,
        })
    }

    fn files(&self, entry: &Entry) -> Result<Option<PathBuf>, LoadError> {
        let grant = files::Grant {
            root: &self.host.app.root,
            mounts: &entry.files,
            excluded: &entry.exclude_files,
            state: &self.host.options.state_dir,
        };
        files::snapshot(&grant, &entry.id).map_err(|problem| {
            LoadError::new(&entry.id, format!("its files cannot be mounted: {problem}"))
        })
    }

    /// The runtime configuration may lower what the manifest allows, never raise it.
    fn settings(&self, entry: &Entry) -> ward_manifest::ComponentSettings {
        let mut settings = entry.settings.clone();
        if let Some(most) = self.host.options.config.max_instance_memory_bytes {
            settings.memory_limit_bytes = settings.memory_limit_bytes.min(most);
        }
        settings
    }

    /// The bytes that a source stands for, which is noted.
    fn read(
        &self,
        (name, source): (&str, &Path),
        made_of: &mut Sources,
    ) -> Result<Vec<u8>, LoadError> {
        let digest = self
            .sources
            .get(source)
            .ok_or_else(|| LoadError::new(name, "its file was not read"))?;
        made_of.insert(source.to_owned(), digest.clone());
        let bytes = self.host.artifacts.read(digest);
        bytes.map_err(|error| LoadError::new(name, format!("its copy cannot be read: {error}")))
    }
}

/// The grants that are there for dependencies alone and that no dependency inside the component
/// needs. One that is composed works with the component's own state, and would lack them.
fn withheld(entry: &Entry, plan: &Plan) -> InheritedOnly {
    let InheritedOnly { variables, allowed_outbound_hosts } = &entry.settings.inherited_only;
    let unless_inherited = |set: &str, entries: &BTreeSet<String>| {
        let inherits = |inherit: &Inherit| match inherit {
            Inherit::All => true,
            Inherit::Only(sets) => sets.iter().any(|inherited| inherited == set),
        };
        match plan.composed.iter().any(|composed| inherits(&composed.dependency.inherit)) {
            true => BTreeSet::new(),
            false => entries.clone(),
        }
    };
    InheritedOnly {
        variables: unless_inherited("variables", variables),
        allowed_outbound_hosts: unless_inherited("allowed_outbound_hosts", allowed_outbound_hosts),
    }
}

/// The wasm file of a component or middleware.
pub(crate) fn read(name: &str, source: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(source).map_err(|error| {
        let failed = LoadError::new(name, format!("{} cannot be read: {error}", source.display()));
        match error.kind() {
            std::io::ErrorKind::NotFound => failed.help("build it first: `ward build`"),
            _ => failed,
        }
    })
}
