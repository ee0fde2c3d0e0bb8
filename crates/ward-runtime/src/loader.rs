//! What is done for one component when the application is loaded: its file is read, its
//! dependencies are planned and composed, its grants are worked out, and with a chain of middleware
//! around it, it is compiled and linked.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ward_manifest::{App, Component as Entry, Dependency, Inherit, InheritedOnly, Variables};
use wasmtime::Engine;
use wasmtime::component::{InstancePre, Linker};

use crate::admission::Admission;
use crate::cache::CompileCache;
use crate::call::Registry;
use crate::capabilities::key_value::KeyValueService;
use crate::compose::{self, DeniedImport, Layer};
use crate::error::LoadError;
use crate::link::{self, LiveLink, Plan};
use crate::load::{Link, LoadedComponent, RuntimeOptions};
use crate::memory::GuestMemory;
use crate::metrics::{Connections, LinkMetrics};
use crate::networks::Networks;
use crate::outbound::{Outbound, OutboundClient};
use crate::scheduler::Scheduler;
use crate::services::Services;
use crate::state::{ComponentShared, State};
use crate::{engine, files, limits, linker, machine};

/// What loading one component after the other needs.
pub(crate) struct Loader<'a> {
    app: &'a App,
    options: &'a RuntimeOptions,
    engine: Engine,
    scheduler: Arc<Scheduler>,
    memory: Arc<GuestMemory>,
    linker: Linker<State>,
    cache: CompileCache,
    variables: Arc<Variables>,
    outbound: OutboundClient,
    networks: Arc<Networks>,
    services: Services,
}

/// A component before middleware: its bytes, with the dependencies that are composed.
pub(crate) struct Part {
    bytes: Vec<u8>,
    denied: Vec<DeniedImport>,
    shown: Vec<Link>,
    /// Its live links.
    pub(crate) links: Vec<LiveLink>,
    /// What all of its instances share, whatever calls them.
    pub(crate) shared: Arc<ComponentShared>,
}

impl Part {
    /// The component's id.
    pub(crate) fn id(&self) -> &str {
        &self.shared.id
    }
}

impl<'a> Loader<'a> {
    /// Opens what all components share.
    pub(crate) fn new(
        app: &'a App,
        variables: Arc<Variables>,
        options: &'a RuntimeOptions,
    ) -> Result<Self, LoadError> {
        let fail = |problem: &dyn Display| LoadError::new(&app.name, problem);
        let scheduler = Scheduler::new();
        let engine::Made { engine, beside_memory_bytes } =
            engine::engine(scheduler.clone()).map_err(|e| fail(&format!("{e:#}")))?;
        let memory = app.settings.guest_memory_bytes.unwrap_or_else(machine::guest_memory);
        let networks = Networks::new(options.config.outbound_networking.clone());
        let cache_dir = options.state_dir.join("cache");
        Ok(Self {
            app,
            options,
            linker: linker::linker(&engine).map_err(|e| fail(&format!("{e:#}")))?,
            cache: CompileCache::open(&cache_dir).map_err(|e| {
                fail(&format!("the compile cache {} cannot be used: {e}", cache_dir.display()))
            })?,
            outbound: OutboundClient::new(&options.config, networks.clone())
                .map_err(|e| fail(&e))?,
            services: Services::new(app, options, networks.clone(), variables.clone())?,
            networks,
            engine,
            scheduler,
            memory: GuestMemory::new(memory, beside_memory_bytes),
            variables,
        })
    }

    /// The connections to databases.
    pub(crate) fn connections(&self) -> Connections {
        self.services.connections()
    }

    /// The key-value stores.
    pub(crate) fn stores(&self) -> Arc<KeyValueService> {
        self.services.stores()
    }

    /// Reads a component, and composes the dependencies into it that are no live links.
    pub(crate) fn part(&self, id: &str) -> Result<Part, LoadError> {
        let entry = self
            .app
            .components
            .get(id)
            .ok_or_else(|| LoadError::new(id, "is called and not declared"))?;
        let bytes = read(id, &entry.source)?;
        let plan = link::plan(entry, &bytes).map_err(|problem| LoadError::new(id, problem))?;
        let files = plan.composed.iter().map(|composed| {
            let Dependency { name, source, .. } = &composed.dependency;
            read(name, source)
        });
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
        let shared = Arc::new(self.shared(entry, &plan)?);
        let shown = plan.shown();
        let (bytes, denied) = (composed.bytes, composed.denied);
        Ok(Part { bytes, denied, shown, links: plan.links, shared })
    }

    /// Puts `chain` around a component, compiles the whole, and links it.
    pub(crate) fn assemble(
        &self,
        part: &Part,
        chain: &[Dependency],
        links: (&Registry, &LinkMetrics),
    ) -> Result<(InstancePre<State>, LoadedComponent), LoadError> {
        let start = Instant::now();
        let id = part.id();
        let fail = |problem: &dyn Display| LoadError::new(id, problem);
        let layers = chain.iter().map(|layer| read(&layer.name, &layer.source));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let layers = chain.iter().zip(&layers);
        let layers: Vec<Layer<'_>> = layers
            .map(|(layer, bytes)| Layer { name: &layer.name, bytes, inherit: &layer.inherit })
            .collect();
        let linked: Vec<&str> = part.links.iter().map(|link| link.import.as_str()).collect();
        let composed =
            compose::middleware(id, &part.bytes, &layers, &linked).map_err(|e| fail(&e))?;
        let compiled = self
            .cache
            .compile(&self.engine, &composed.bytes)
            .map_err(|e| fail(&format!("{e:#}")))?;

        let mut linker = self.linker.clone();
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

    fn shared(&self, entry: &Entry, plan: &Plan) -> Result<ComponentShared, LoadError> {
        let id: Arc<str> = entry.id.as_str().into();
        let withheld = withheld(entry, plan);
        let hosts = self.variables.allowed_hosts(self.app, &id, &withheld.allowed_outbound_hosts);
        let hosts = Arc::new(hosts.map_err(|findings| LoadError::new(&id, findings))?);
        let grant = files::Grant {
            root: &self.app.root,
            mounts: &entry.files,
            excluded: &entry.exclude_files,
            state: &self.options.state_dir,
        };
        let files = files::snapshot(&grant, &id)
            .map_err(|e| LoadError::new(&id, format!("its files cannot be mounted: {e}")))?;
        let mut environment = entry.environment.clone();
        environment.extend(self.options.environment.clone());
        let settings = self.settings(entry);
        let at_once = settings.concurrent_requests_max.unwrap_or(limits::CALLS_PER_COMPONENT_MAX);
        let share = self.app.settings.peer_share_percent.into();
        Ok(ComponentShared {
            engine: self.engine.clone(),
            scheduler: self.scheduler.clone(),
            admission: Admission::new(at_once as usize, share),
            settings,
            memory: self.memory.clone(),
            environment: environment.into_iter().collect(),
            files,
            networks: self.networks.clone(),
            outbound: Outbound::new(id.clone(), hosts.clone(), self.outbound.clone()),
            postgres: self.services.postgres(&id, &hosts),
            key_value: self.services.key_value(&entry.key_value_stores),
            variables: self.services.variables(&id, withheld.variables),
            silent: self.options.quiet,
            hosts,
            id,
        })
    }

    /// The runtime configuration may lower what the manifest allows, never raise it.
    fn settings(&self, entry: &Entry) -> ward_manifest::ComponentSettings {
        let mut settings = entry.settings.clone();
        if let Some(most) = self.options.config.max_instance_memory_bytes {
            settings.memory_limit_bytes = settings.memory_limit_bytes.min(most);
        }
        settings
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
