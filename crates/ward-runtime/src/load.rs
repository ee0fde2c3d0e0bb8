//! From a checked application to components that serve: reads the wasm files, composes middleware,
//! compiles through the cache, links, and makes one handler for each component and chain.
//! Nothing is served before everything has loaded.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ward_manifest::{
    Action, App, Component as Entry, Dependency, OutboundNetworking, RuntimeConfig, Variables,
};
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::cache::CompileCache;
use crate::compose::{self, Layer};
use crate::error::LoadError;
use crate::handler::HttpHandler;
use crate::outbound::{Outbound, OutboundClient};
use crate::services::Services;
use crate::state::{ComponentShared, State};
use crate::{engine, exports, files, linker};

/// What the runtime needs beside the application itself.
#[derive(Debug, Clone, Default)]
pub struct RuntimeOptions {
    /// Where compiled components, key-value stores and file snapshots live.
    pub state_dir: PathBuf,
    /// The runtime configuration; its default for none.
    pub config: RuntimeConfig,
    /// `--env`: WASI environment for every component, over the manifest's.
    pub environment: BTreeMap<String, String>,
    /// `--quiet`: what components write to stdout and stderr is dropped.
    pub quiet: bool,
}

/// A component that has been loaded, for the start-up lines.
#[derive(Debug, Clone)]
pub struct LoadedComponent {
    /// The component's id.
    pub id: String,
    /// The names of its middleware, outermost first.
    pub middleware: Vec<String>,
    /// Whether its machine code came from the cache.
    pub cached: bool,
    /// How long composing, compiling and linking took.
    pub took: Duration,
}

/// The loaded application.
#[derive(Debug)]
pub struct Runtime {
    handlers: BTreeMap<String, Arc<HttpHandler>>,
    loaded: Vec<LoadedComponent>,
}

impl Runtime {
    /// Loads every component that a trigger names. Compiles where the cache has nothing, so it
    /// blocks for seconds on a first start; must be called on a tokio runtime, on a thread that
    /// may block.
    pub fn load(
        app: &App,
        variables: Arc<Variables>,
        options: &RuntimeOptions,
    ) -> Result<Self, LoadError> {
        let loader = Loader::new(app, variables, options)?;
        let mut runtime = Self { handlers: BTreeMap::new(), loaded: Vec::new() };
        // Triggers with the same component and chain share one handler, and so its instances.
        let mut made: Vec<(&str, &[Dependency], Arc<HttpHandler>)> = Vec::new();
        for trigger in &app.http_triggers {
            let Action::Component(id) = &trigger.action else { continue };
            let chain = trigger.middleware.as_slice();
            let known = made.iter().find(|(other, layers, _)| other == id && *layers == chain);
            let handler = match known {
                Some((_, _, handler)) => handler.clone(),
                None => {
                    let (handler, loaded) = loader.load(id, chain)?;
                    runtime.loaded.push(loaded);
                    made.push((id, chain, handler.clone()));
                    handler
                }
            };
            runtime.handlers.insert(trigger.id.clone(), handler);
        }
        Ok(runtime)
    }

    /// The handler behind an HTTP trigger; `None` for a static response or an unknown id.
    pub fn http(&self, trigger_id: &str) -> Option<Arc<HttpHandler>> {
        self.handlers.get(trigger_id).cloned()
    }

    /// What was loaded, in the order of the manifest.
    pub fn loaded(&self) -> &[LoadedComponent] {
        &self.loaded
    }
}

/// What loading one component after the other needs.
struct Loader<'a> {
    app: &'a App,
    options: &'a RuntimeOptions,
    engine: Engine,
    linker: Linker<State>,
    cache: CompileCache,
    variables: Arc<Variables>,
    outbound: OutboundClient,
    networks: Arc<OutboundNetworking>,
    services: Services,
}

impl<'a> Loader<'a> {
    fn new(
        app: &'a App,
        variables: Arc<Variables>,
        options: &'a RuntimeOptions,
    ) -> Result<Self, LoadError> {
        let fail = |problem: &dyn Display| LoadError::new(&app.name, problem);
        let engine = engine::engine().map_err(|e| fail(&format!("{e:#}")))?;
        let networks = Arc::new(options.config.outbound_networking.clone());
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
            services: Services::new(
                &options.state_dir,
                &options.config,
                networks.clone(),
                variables.clone(),
            ),
            networks,
            engine,
            variables,
        })
    }

    fn load(
        &self,
        id: &str,
        chain: &[Dependency],
    ) -> Result<(Arc<HttpHandler>, LoadedComponent), LoadError> {
        let start = Instant::now();
        let entry = self
            .app
            .components
            .get(id)
            .ok_or_else(|| LoadError::new(id, "is named by a trigger and not declared"))?;
        let primary = read(id, &entry.source)?;
        let layers = chain
            .iter()
            .map(|layer| read(&layer.name, &layer.source))
            .collect::<Result<Vec<_>, _>>()?;
        let layers: Vec<Layer<'_>> = chain
            .iter()
            .zip(&layers)
            .map(|(layer, bytes)| Layer { name: &layer.name, bytes, inherit: &layer.inherit })
            .collect();
        let composed =
            compose::middleware(id, &primary, &layers).map_err(|e| LoadError::new(id, e))?;
        let compiled = self
            .cache
            .compile(&self.engine, &composed.bytes)
            .map_err(|e| LoadError::new(id, format!("{e:#}")))?;

        let mut linker = self.linker.clone();
        compose::link_denied(&mut linker, &compiled.component, &composed.denied)
            .map_err(|e| LoadError::new(id, format!("{e:#}")))?;
        let export = exports::handler(&self.engine, &compiled.component, id)?;
        let pre = export.pre(&linker, &compiled.component, id)?;
        let handler = Arc::new(HttpHandler::new(Arc::new(self.shared(entry)?), pre));
        let loaded = LoadedComponent {
            id: id.to_owned(),
            middleware: chain.iter().map(|layer| layer.name.clone()).collect(),
            cached: compiled.cached,
            took: start.elapsed(),
        };
        Ok((handler, loaded))
    }

    fn shared(&self, entry: &Entry) -> Result<ComponentShared, LoadError> {
        let id: Arc<str> = entry.id.as_str().into();
        let hosts = self.variables.allowed_hosts(self.app, &id);
        let hosts = Arc::new(hosts.map_err(|findings| LoadError::new(&id, findings))?);
        let files_dir = self.options.state_dir.join("files");
        let files = files::snapshot(&self.app.root, entry, &files_dir)
            .map_err(|e| LoadError::new(&id, format!("its files cannot be mounted: {e}")))?;
        let mut environment = entry.environment.clone();
        environment.extend(self.options.environment.clone());
        Ok(ComponentShared {
            engine: self.engine.clone(),
            settings: self.settings(entry),
            environment: environment.into_iter().collect(),
            files,
            networks: self.networks.clone(),
            outbound: Outbound::new(id.clone(), hosts.clone(), self.outbound.clone()),
            postgres: self.services.postgres(&id, &hosts),
            key_value: self.services.key_value(&entry.key_value_stores),
            variables: self.services.variables(&id),
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

/// The wasm file of a component or middleware.
fn read(name: &str, source: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(source).map_err(|error| {
        let failed = LoadError::new(name, format!("{} cannot be read: {error}", source.display()));
        match error.kind() {
            std::io::ErrorKind::NotFound => failed.help("build it first: `ward build`"),
            _ => failed,
        }
    })
}
