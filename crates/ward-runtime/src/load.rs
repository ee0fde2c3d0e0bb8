//! The loaded application, and how it comes to be: every component that anything calls is read, its
//! dependencies are composed or linked, it is compiled through the cache, and gets one handler for
//! each chain of middleware. Nothing is served before everything has loaded. What is done for a
//! single component is in `loader`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ward_manifest::{App, Dependency, RuntimeConfig, Variables};
use ward_postgres::Address;

use crate::call::{Callee, Function, Registry};
use crate::capabilities::key_value::{KeyValueService, KeyValueStore};
use crate::capabilities::postgres::OutboxBell;
use crate::error::LoadError;
use crate::handler::HttpHandler;
use crate::link;
use crate::loader::{Loader, Part};
use crate::metrics::{Connections, LinkMetrics};

/// What the runtime needs beside the application itself.
#[derive(Debug, Clone, Default)]
pub struct RuntimeOptions {
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

/// A component that has been loaded, for the start-up lines.
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

/// One import of a component that another one satisfies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The import, an interface with its version.
    pub import: String,
    /// The component that is called, or the file that is composed in.
    pub target: String,
    /// Which of the two it is.
    pub kind: LinkKind,
}

/// What became of a dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// Calls go to an instance of the other component, with that one's grants.
    Live,
    /// The file has become a part of the component.
    Composed {
        /// Why it is no live link.
        reason: String,
    },
}

/// What becomes of the dependencies of a component, found out from its file alone.
pub fn links(app: &App, component: &str) -> Result<Vec<Link>, LoadError> {
    let fail = |problem: String| LoadError::new(component, problem);
    let entry = app.components.get(component).ok_or_else(|| fail("is not declared".to_owned()))?;
    if entry.dependencies.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = crate::loader::read(component, &entry.source)?;
    link::plan(entry, &bytes).map(|plan| plan.shown()).map_err(fail)
}

/// The loaded application.
#[derive(Debug)]
pub struct Runtime {
    handlers: BTreeMap<String, Arc<HttpHandler>>,
    registry: Registry,
    loaded: Vec<LoadedComponent>,
    links: LinkMetrics,
    connections: Arc<Connections>,
    stores: Arc<KeyValueService>,
}

impl Runtime {
    /// Loads every component that anything calls. Compiles where the cache has nothing, so it
    /// blocks for seconds on a first start; must be called on a tokio runtime, on a thread that
    /// may block.
    pub fn load(
        app: &App,
        variables: Arc<Variables>,
        options: &RuntimeOptions,
    ) -> Result<Self, LoadError> {
        let loader = Loader::new(app, variables, options)?;
        let used = app.components_in_use();
        let parts = used.iter().map(|id| Ok((*id, loader.part(id)?)));
        let parts: BTreeMap<&str, Part> = parts.collect::<Result<_, LoadError>>()?;
        link::check_depth(parts.iter().map(|(id, part)| (*id, part.links.as_slice())))?;
        let registry = Registry::new(used);
        let mut runtime = Self {
            handlers: BTreeMap::new(),
            registry,
            loaded: Vec::new(),
            links: LinkMetrics::default(),
            connections: Arc::new(loader.connections()),
            stores: loader.stores(),
        };
        runtime.load_handlers(app, &loader, &parts)?;
        runtime.load_others(&loader, &parts)?;
        for (id, part) in &parts {
            link::check_types(id, &part.links, &runtime.registry)?;
        }
        Ok(runtime)
    }

    fn load_handlers(
        &mut self,
        app: &App,
        loader: &Loader<'_>,
        parts: &BTreeMap<&str, Part>,
    ) -> Result<(), LoadError> {
        // Triggers with the same component and chain share one handler, and so its instances.
        let mut made: Vec<(&str, &[Dependency], Arc<HttpHandler>)> = Vec::new();
        for trigger in &app.http_triggers {
            let Some(id) = trigger.component() else { continue };
            let chain = trigger.middleware.as_slice();
            let known = made.iter().find(|(other, layers, _)| *other == id && *layers == chain);
            let handler = match (known, parts.get(id)) {
                (Some((_, _, handler)), _) => handler.clone(),
                (None, Some(part)) => {
                    let handler = Arc::new(self.load_handler(loader, part, chain)?);
                    made.push((id, chain, handler.clone()));
                    handler
                }
                (None, None) => {
                    return Err(LoadError::new(id, "is named by a trigger and not declared"));
                }
            };
            self.handlers.insert(trigger.id.clone(), handler);
        }
        Ok(())
    }

    fn load_handler(
        &mut self,
        loader: &Loader<'_>,
        part: &Part,
        chain: &[Dependency],
    ) -> Result<HttpHandler, LoadError> {
        let (pre, loaded) = loader.assemble(part, chain, (&self.registry, &self.links))?;
        let revision = loaded.revision.clone();
        self.loaded.push(loaded);
        // Calls other than HTTP go to the same compiled component; what middleware stands around
        // it makes no difference to them.
        let slot = self.registry.slot(part.id());
        if let Some(slot) = slot.filter(|slot| slot.current().is_none()) {
            slot.put(Callee::new(part.shared.clone(), pre.clone(), revision));
        }
        HttpHandler::new(part.shared.clone(), pre)
    }

    /// Components that only other components and triggers other than HTTP call.
    fn load_others(
        &mut self,
        loader: &Loader<'_>,
        parts: &BTreeMap<&str, Part>,
    ) -> Result<(), LoadError> {
        for part in parts.values() {
            let slot = self.registry.slot(part.id());
            if let Some(slot) = slot.filter(|slot| slot.current().is_none()) {
                let (pre, loaded) = loader.assemble(part, &[], (&self.registry, &self.links))?;
                let revision = loaded.revision.clone();
                self.loaded.push(loaded);
                slot.put(Callee::new(part.shared.clone(), pre, revision));
            }
        }
        Ok(())
    }

    /// The handler behind an HTTP trigger; `None` for a static response or an unknown id.
    pub fn http(&self, trigger_id: &str) -> Option<Arc<HttpHandler>> {
        self.handlers.get(trigger_id).cloned()
    }

    /// A function that a component exports, such as `place-order` of `shop:orders/orders@1.0.0`.
    /// An interface that is named without a version is found where there is one of that name.
    /// `None` where the component has no such function, or is not in use.
    pub fn function(&self, component: &str, interface: &str, name: &str) -> Option<Function> {
        Function::find(self.registry.slot(component)?, interface, name)
    }

    /// A key-value store, as the host reads it; `None` where no configuration knows the label.
    pub fn store(&self, label: &str) -> Option<KeyValueStore> {
        KeyValueStore::new(self.stores.clone(), label)
    }

    /// Completes when nothing goes on in any component that answers HTTP requests: what they do
    /// after their answers included.
    pub async fn rest(&self) {
        for handler in self.handlers.values() {
            handler.rest().await;
        }
    }

    /// Has shown what is counted.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        self.links.register(registry);
        registry.register_collector(Box::new(self.connections.clone()));
    }

    /// What was loaded: what HTTP triggers name in the order of the manifest, then the others.
    pub fn loaded(&self) -> &[LoadedComponent] {
        &self.loaded
    }
}
