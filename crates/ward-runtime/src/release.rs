//! One state of the application: which build of each component answers, and which of them answers
//! which trigger. It is a value: it is made, checked, and never changes; whoever begins a request
//! or a call with it keeps it to the end, links included. Instances belong to the revisions,
//! which releases share where nothing was replaced.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ward_manifest::App;

use crate::artifact::{Digest, Sources};
use crate::call::{CallContext, Callee, Function};
use crate::error::{HandleError, LoadError};
use crate::handler::{Body, HttpInstances};
use crate::host::Revisions;
use crate::link;
use crate::revision::{LoadedComponent, Revision};

/// The application as it is served.
pub struct Release {
    app: Arc<App>,
    pub(crate) sources: Sources,
    pub(crate) revisions: Revisions,
    /// By trigger.
    handlers: BTreeMap<String, Arc<HttpInstances>>,
}

impl std::fmt::Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Release").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl Release {
    /// Puts together what was made of `sources`. Refused where the two ends of a link do not fit,
    /// or a chain of them is too long.
    pub(crate) fn new(
        app: Arc<App>,
        sources: Sources,
        revisions: Revisions,
    ) -> Result<Self, LoadError> {
        link::check_depth(revisions.iter().map(|(id, it)| (id.as_str(), it.links.as_slice())))?;
        for (id, revision) in &revisions {
            link::check_types(id, &revision.links, &revisions)?;
        }
        let mut handlers = BTreeMap::new();
        for trigger in &app.http_triggers {
            let Some(id) = trigger.component() else { continue };
            let found = revisions.get(id).and_then(|revision| revision.http(&trigger.middleware));
            let handler = found.ok_or_else(|| LoadError::new(id, "has no HTTP handler"))?;
            handlers.insert(trigger.id.clone(), handler.clone());
        }
        Ok(Self { app, sources, revisions, handlers })
    }

    /// What answers an HTTP trigger; `None` for a static response or an unknown id.
    pub fn http(self: &Arc<Self>, trigger_id: &str) -> Option<HttpHandler> {
        let instances = self.handlers.get(trigger_id)?.clone();
        Some(HttpHandler { release: self.clone(), instances })
    }

    /// A function that a component exports, such as `place-order` of `shop:orders/orders@1.0.0`.
    /// An interface that is named without a version is found where there is one of that name.
    /// `None` where the component has no such function, or is not in use.
    pub fn function(
        self: &Arc<Self>,
        component: &str,
        interface: &str,
        name: &str,
    ) -> Option<Function> {
        Function::find(self, component, interface, name)
    }

    /// What was loaded: what HTTP triggers name in the order of the manifest, then the others.
    pub fn loaded(&self) -> Vec<&LoadedComponent> {
        let mut ids: Vec<&str> = Vec::new();
        let triggered = self.app.http_triggers.iter().filter_map(|trigger| trigger.component());
        for id in triggered.chain(self.revisions.keys().map(String::as_str)) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let revisions = ids.into_iter().filter_map(|id| self.revisions.get(id));
        revisions.flat_map(|revision| revision.loaded()).collect()
    }

    /// The file that the manifest calls `source`, as it was read; `None` where nothing in use is
    /// made of it.
    pub fn digest(&self, source: &Path) -> Option<&Digest> {
        self.sources.get(source)
    }

    /// The components that were made anew since another release of the same application.
    pub fn differs<'a>(&'a self, other: &'a Release) -> impl Iterator<Item = &'a str> {
        let same = |id: &str, revision: &Arc<Revision>| {
            other.revisions.get(id).is_some_and(|known| Arc::ptr_eq(known, revision))
        };
        let anew = self.revisions.iter().filter(move |(id, revision)| !same(id, revision));
        anew.map(|(id, _)| id.as_str())
    }

    /// These components, and those whose links lead to one of them, over others as well.
    pub fn reaching(&self, components: &[String]) -> Vec<String> {
        let mut reaching: Vec<String> = components.to_vec();
        let mut at = 0;
        while let Some(reached) = reaching.get(at).cloned() {
            for (id, revision) in &self.revisions {
                let leads = revision.links.iter().any(|link| link.component == reached);
                if leads && !reaching.contains(id) {
                    reaching.push(id.clone());
                }
            }
            at += 1;
        }
        reaching
    }

    /// Makes an instance of everything that was made anew since `other`, before anybody depends
    /// on it. One for calls is kept: the first call finds it warm.
    ///
    /// # Errors
    /// The first component of which there can be no instance.
    pub async fn try_out(&self, other: &Release) -> Result<(), LoadError> {
        for id in self.differs(other) {
            let Some(revision) = self.revisions.get(id) else { continue };
            let tried = revision.try_out().await;
            tried.map_err(|problem| {
                LoadError::new(id, format!("no instance of it can be made: {problem}"))
            })?;
        }
        Ok(())
    }

    pub(crate) fn callee(&self, component: &str) -> Option<&Arc<Callee>> {
        self.revisions.get(component).map(|revision| &revision.callee)
    }
}

/// What answers a trigger, in one release.
#[derive(Debug, Clone)]
pub struct HttpHandler {
    release: Arc<Release>,
    instances: Arc<HttpInstances>,
}

impl HttpHandler {
    /// The id of the component that answers.
    pub fn component(&self) -> &str {
        self.instances.component()
    }

    /// The longest a request may take until its response begins.
    pub fn deadline(&self) -> Duration {
        self.instances.deadline()
    }

    /// The longest a response's body may go on after its head.
    pub fn stream_deadline(&self) -> Duration {
        self.instances.stream_deadline()
    }

    /// Hands `request` to an instance and waits for the response to begin; its body may go on.
    /// Dropping the future ends what the instance does only if it computes, for nobody else;
    /// `context` is dropped when that has come to a response, or to its end. Must be called on a
    /// tokio runtime.
    pub async fn handle(
        &self,
        request: http::Request<Body>,
        context: CallContext,
    ) -> Result<http::Response<Body>, HandleError> {
        let context = CallContext { release: Some(self.release.clone()), ..context };
        self.instances.handle(request, context).await
    }

    /// Makes one instance and lets it go: whether that works, and for a benchmark, what it costs.
    pub async fn instantiate(&self) -> Result<(), HandleError> {
        self.instances.instantiate().await
    }
}
