//! The capabilities that all components share, and each component's own view of them. What is
//! shared is the connection to the outside (pools, files); what is allowed never is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ward_manifest::{AllowedHosts, RuntimeConfig, Variables};

use crate::capabilities::key_value::{KeyValueCtx, KeyValueService};
use crate::capabilities::postgres::{Grants, OutboxBell, PostgresCtx, PostgresService};
use crate::capabilities::variables::VariablesCtx;
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
    /// Opens nothing yet; pools and files open with their first use.
    pub(crate) fn new(
        state_dir: &Path,
        config: &RuntimeConfig,
        networks: Arc<Networks>,
        variables: Arc<Variables>,
        outbox_bell: OutboxBell,
    ) -> Self {
        Self {
            postgres: PostgresService::new(config.outbound_pg_connections_max, networks),
            outbox_bell,
            key_value: Arc::new(KeyValueService::new(stores(state_dir, config))),
            variables,
        }
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

    /// The variables `id` sees: those of its manifest entry but those of `withheld`.
    pub(crate) fn variables(&self, id: &Arc<str>, withheld: BTreeSet<String>) -> VariablesCtx {
        VariablesCtx::new(self.variables.clone(), id.clone(), Arc::new(withheld))
    }
}

/// Where each label's store is. A label the configuration gives no path is kept all the same:
/// losing data silently is nobody's wish.
fn stores(state_dir: &Path, config: &RuntimeConfig) -> BTreeMap<String, PathBuf> {
    let own = |label: &str| state_dir.join("key-value").join(format!("{label}.redb"));
    let mut stores: BTreeMap<String, PathBuf> = config
        .key_value_stores
        .iter()
        .map(|(label, store)| (label.clone(), store.path.clone().unwrap_or_else(|| own(label))))
        .collect();
    stores.entry(DEFAULT_STORE.to_owned()).or_insert_with(|| own(DEFAULT_STORE));
    stores
}
