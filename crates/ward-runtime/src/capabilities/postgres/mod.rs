//! `spin:postgres`: a component's way to PostgreSQL, through connections that all components share.
//!
//! The way of a statement: [`host`] takes the guest's call, [`lease`] runs it on a [`session`]
//! taken from the [`pool`], [`types`] turns parameters and rows into bytes and back, [`error`] says
//! what went wrong, and [`effect`] tells what the connection needs before its next guest.
//! [`address`] refuses what `allowed_outbound_hosts` does not list; how an address is read and
//! dialled is `ward-postgres`'s.
//!
//! No statement, parameter, value or error detail is ever logged from here.

#![allow(
    clippy::result_large_err,
    reason = "the interface's error is one value per failed call, and moving it is not what costs"
)]

mod address;
mod effect;
mod error;
mod host;
mod lease;
mod outbox;
mod pool;
mod session;
mod types;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use wasmtime::component::{HasData, Linker, ResourceTable};

use self::lease::Lease;
use self::outbox::OutboxWatch;
use super::bindings::postgres::{self, Error};

pub(crate) use self::address::Grants;
pub use self::outbox::OutboxBell;
pub(crate) use self::pool::PostgresService;

/// What one component may open. Cloned for each instance.
#[derive(Clone)]
pub(crate) struct PostgresCtx {
    service: Arc<PostgresService>,
    grants: Arc<Grants>,
    component: Arc<str>,
    bell: OutboxBell,
}

impl PostgresCtx {
    /// The connections of `service` for `component`, as far as `grants` go.
    pub(crate) fn new(
        service: Arc<PostgresService>,
        grants: Arc<Grants>,
        component: Arc<str>,
    ) -> Self {
        PostgresCtx { service, grants, component, bell: OutboxBell::default() }
    }

    /// With somebody who wants to know when the component has written events.
    pub(crate) fn ringing(self, bell: OutboxBell) -> Self {
        PostgresCtx { bell, ..self }
    }

    /// The one way to a connection, whichever function the guest called.
    async fn open(&self, text: &str, ca_root: Option<&str>) -> Result<Connection, Error> {
        let address = self.service.read(text, ca_root)?;
        self.grants.check(&address, text)?;
        let lease = Arc::new(self.service.open(&address).await?);
        let watch = OutboxWatch::new(self.bell.clone(), self.component.clone());
        Ok(Connection { lease, watch: Arc::new(watch) })
    }
}

/// The part of an instance's state this capability works on.
pub(crate) struct PostgresView<'a> {
    /// What the component may open.
    pub(crate) ctx: &'a mut PostgresCtx,
    /// Where the open handles are.
    pub(crate) table: &'a mut ResourceTable,
}

/// A guest's `connection` handle.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Connection {
    lease: Arc<Lease>,
    watch: Arc<OutboxWatch>,
}

/// A guest's `connection-builder` handle.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct ConnectionBuilder {
    address: String,
    ca_root: Option<String>,
}

/// Ties the linker's state type to the view.
struct HasPostgres;

impl HasData for HasPostgres {
    type Data<'a> = PostgresView<'a>;
}

/// Adds `spin:postgres/postgres@4.2.0`.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> PostgresView<'_>,
) -> wasmtime::Result<()> {
    postgres::add_to_linker::<T, HasPostgres>(linker, get)
}
