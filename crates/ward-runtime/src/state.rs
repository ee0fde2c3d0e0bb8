//! What belongs to a component as long as it is loaded, and what belongs to one of its instances.
//! An instance's state is made anew for each store and holds nothing of another instance.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use ward_manifest::{AllowedHosts, ComponentSettings};
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::admission::Admission;
use crate::busy::Busy;
use crate::capabilities::key_value::{KeyValueCtx, KeyValueView};
use crate::capabilities::postgres::{PostgresCtx, PostgresView};
use crate::capabilities::variables::{VariablesCtx, VariablesView};
use crate::memory::{Footprint, GuestMemory, MemoryLimiter};
use crate::networks::Networks;
use crate::outbound::Outbound;
use crate::scheduler::Scheduler;
use crate::serving::Serving;
use crate::stdio::{LogStream, Stream};

/// One loaded component: what all of its instances share.
pub(crate) struct ComponentShared {
    pub(crate) id: Arc<str>,
    pub(crate) engine: Engine,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) settings: ComponentSettings,
    /// How much of it there may be at once.
    pub(crate) admission: Arc<Admission>,
    pub(crate) busy: Busy,
    /// What its instances share with those of all others.
    pub(crate) memory: Arc<GuestMemory>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) files: Option<PathBuf>,
    pub(crate) hosts: Arc<AllowedHosts>,
    pub(crate) networks: Arc<Networks>,
    pub(crate) outbound: Outbound,
    pub(crate) postgres: PostgresCtx,
    pub(crate) key_value: KeyValueCtx,
    pub(crate) variables: VariablesCtx,
    pub(crate) silent: bool,
    /// Whether no release has it any more.
    pub(crate) retired: AtomicBool,
}

impl ComponentShared {
    /// No release has it any more: those of its instances that are idle go.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Relaxed);
        self.memory.look();
    }

    /// Whether nobody can have use for its idle instances.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Relaxed)
    }

    /// A store for a new instance, with the component's limits in force.
    pub(crate) fn store(&self) -> wasmtime::Result<Store<State>> {
        let mut store = Store::new(&self.engine, self.state()?);
        store.limiter_async(|state| &mut state.limiter);
        store.set_epoch_deadline(1);
        // A guest that computes for long hands its thread back at every tick, so that the others
        // go on and its worker's expiration is looked at.
        store.epoch_deadline_callback(|store| store.data().serving().pause());
        Ok(store)
    }

    fn state(&self) -> wasmtime::Result<State> {
        let serving = Serving::new(self.scheduler.computation());
        Ok(State {
            wasi: self.wasi(&serving)?,
            serving,
            http: WasiHttpCtx::new(),
            outbound: self.outbound.clone(),
            table: ResourceTable::new(),
            limiter: MemoryLimiter::new(self.settings.memory_limit_bytes, self.memory.clone()),
            postgres: self.postgres.clone(),
            key_value: self.key_value.clone(),
            variables: self.variables.clone(),
        })
    }

    fn wasi(&self, serving: &Serving) -> wasmtime::Result<WasiCtx> {
        let mut builder = WasiCtxBuilder::new();
        builder.envs(&self.environment);
        if !self.silent {
            let stream = |stream| LogStream::new(self.id.clone(), serving.clone(), stream);
            builder.stdout(stream(Stream::Out)).stderr(stream(Stream::Err));
        }
        if let Some(files) = &self.files {
            builder.preopened_dir(files, "/", FsPerms::ReadOnly)?;
        }
        let (hosts, networks) = (self.hosts.clone(), self.networks.clone());
        // Nobody says when a socket is closed: each counts until its instance is gone.
        let sockets = Mutex::new(Vec::new());
        // TCP is off unless it is asked for; which address may be reached is for the check to say.
        builder.allow_tcp(true).socket_addr_check(move |address, purpose| {
            let mut allowed = allows_socket(&hosts, &networks, address, purpose);
            if allowed && matches!(purpose, SocketAddrUse::TcpConnect) {
                let permit = networks.socket();
                allowed = permit.is_some();
                sockets.lock().unwrap_or_else(PoisonError::into_inner).extend(permit);
            }
            Box::pin(async move { allowed })
        });
        Ok(builder.build())
    }
}

/// A guest may connect to what its manifest entry lists by address, and may never listen.
/// Connecting binds an unspecified local address first, which is no listening.
fn allows_socket(
    hosts: &AllowedHosts,
    networks: &Networks,
    address: std::net::SocketAddr,
    purpose: SocketAddrUse,
) -> bool {
    match purpose {
        SocketAddrUse::TcpConnect => {
            !networks.blocks(address.ip())
                && hosts.allows("tcp", &address.ip().to_string(), address.port())
        }
        SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
        _ => false,
    }
}

/// One instance's state.
pub(crate) struct State {
    serving: Serving,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    table: ResourceTable,
    limiter: MemoryLimiter,
    postgres: PostgresCtx,
    key_value: KeyValueCtx,
    variables: VariablesCtx,
}

impl State {
    /// On whose behalf the instance works.
    pub(crate) fn serving(&self) -> &Serving {
        &self.serving
    }

    /// How large its memories are.
    pub(crate) fn footprint(&self) -> &Arc<Footprint> {
        self.limiter.footprint()
    }

    /// The view the postgres capability works on.
    pub(crate) fn postgres(&mut self) -> PostgresView<'_> {
        PostgresView { ctx: &mut self.postgres, table: &mut self.table }
    }

    /// The view the key-value capability works on.
    pub(crate) fn key_value(&mut self) -> KeyValueView<'_> {
        KeyValueView { ctx: &mut self.key_value, table: &mut self.table }
    }

    /// The view the variables capability works on.
    pub(crate) fn variables(&mut self) -> VariablesView<'_> {
        VariablesView { ctx: &mut self.variables }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}
