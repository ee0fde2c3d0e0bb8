//! The capabilities that all components share, and each component's own view of them. What is
//! shared is the connection to the outside (pools, files); what is allowed never is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ward_manifest::{AllowedHosts, App, KeyValueKind, Variables};

use crate::capabilities::key_value::{KeyValueCtx, KeyValueService, Place};
use crate::capabilities::postgres::{Grants, OutboxBell, PostgresCtx, PostgresService};
use crate::capabilities::variables::VariablesCtx;
use crate::error::LoadError;
use crate::host::HostOptions;
use crate::metrics::Connections;
use crate::networks::Networks;

/// The store every component may be granted without any configuration, as in Spin.
const DEFAULT_STORE: &str = "default";

/// One of each for the process.
pub(crate) struct Services {
    postgres: Arc<PostgresService>,
    outbox_bell: OutboxBell,
    key_value: Arc<KeyValueService>,
    variables: Arc<Variables>,
}

impl Services {
    /// Opens nothing yet; pools, files and shared stores open with their first use.
    pub(crate) fn new(
        app: &App,
        options: &HostOptions,
        networks: Arc<Networks>,
        variables: Arc<Variables>,
    ) -> Result<Self, LoadError> {
        let places = places(app, options)?;
        let connections_max = options.config.outbound_pg_connections_max;
        Ok(Self {
            postgres: PostgresService::new(connections_max, networks),
            outbox_bell: options.outbox_bell.clone(),
            key_value: KeyValueService::new(places),
            variables,
        })
    }

    /// The connections to databases.
    pub(crate) fn connections(&self) -> Connections {
        Connections(self.postgres.clone())
    }

    /// What `id` may do with databases.
    pub(crate) fn postgres(&self, id: &Arc<str>, hosts: &Arc<AllowedHosts>) -> PostgresCtx {
        let values = self.variables.names(id).filter_map(|name| self.variables.get(id, name).ok());
        let grants = Grants::new(id.clone(), hosts.clone(), values);
        let ctx = PostgresCtx::new(self.postgres.clone(), Arc::new(grants), id.clone());
        ctx.ringing(self.outbox_bell.clone())
    }

    /// The stores a component may open.
    pub(crate) fn key_value(&self, labels: &[String]) -> KeyValueCtx {
        let labels: BTreeSet<String> = labels.iter().cloned().collect();
        KeyValueCtx::new(self.key_value.clone(), Arc::new(labels))
    }

    /// The key-value stores, for the host itself.
    pub(crate) fn stores(&self) -> Arc<KeyValueService> {
        self.key_value.clone()
    }

    /// The variables `id` sees: those of its manifest entry but those of `withheld`.
    pub(crate) fn variables(&self, id: &Arc<str>, withheld: BTreeSet<String>) -> VariablesCtx {
        VariablesCtx::new(self.variables.clone(), id.clone(), Arc::new(withheld))
    }
}

/// Where each label's store is: as the runtime configuration says, or else the manifest. A label
/// that they give no path is kept all the same: losing data silently is nobody's wish.
fn places(app: &App, options: &HostOptions) -> Result<BTreeMap<String, Place>, LoadError> {
    let directory = options.state_dir.join("key-value");
    let own = |label: &str| Place::File(directory.join(format!("{label}.redb")));
    let mut places = BTreeMap::from([(DEFAULT_STORE.to_owned(), own(DEFAULT_STORE))]);
    for (label, kind) in app.settings.stores_besides(&options.config) {
        let place = match (kind, &options.key_value) {
            (KeyValueKind::File, _) => own(label),
            (KeyValueKind::Postgres, Some(address)) => Place::Shared(address.clone()),
            (KeyValueKind::Postgres, None) => return Err(nowhere(app, label)),
        };
        places.insert(label.to_owned(), place);
    }
    for (label, store) in &options.config.key_value_stores {
        let place = store.path.clone().map_or_else(|| own(label), Place::File);
        places.insert(label.clone(), place);
    }
    Ok(places)
}

fn nowhere(app: &App, label: &str) -> LoadError {
    let problem = format!("the key-value store `{label}` is kept in PostgreSQL, and there is none");
    LoadError::new(&app.name, problem).help("name one with --key-value-url or --database-url")
}
