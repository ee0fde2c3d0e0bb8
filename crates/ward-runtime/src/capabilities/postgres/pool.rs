//! Connections to database servers, shared by all components of the process.
//!
//! A server's limit of connections counts whatever database and role they are for, so the permits
//! here belong to the server and the idle connections to the address: when a server's share is
//! used up by idle connections of one address, the oldest makes room for another's. (This is why
//! no pool library is used: theirs have a limit per address only.) What an address reaches, in
//! turn, has no more than a part of its server's share: a service whose statements hang leaves the
//! others theirs, and services that are busy at once do not close each other's connections, each of
//! which costs more to make than it then serves. Parts are counted by [`Target`], so that a
//! component gets no second one for writing its address in another way. An idle connection is
//! clean; see [`super::lease`] for what happens to one on its way back.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::SimpleQueryMessage;
use ward_postgres::{Address, DialError, Target};

use super::address::Addresses;
use super::error::connection_failed;
use super::lease::Lease;
use super::session::Session;
use crate::capabilities::bindings::postgres::Error;
use crate::limits::{
    POSTGRES_CONNECTIONS_MAX, POSTGRES_CONNECTIONS_UNKNOWN, POSTGRES_IDLE_MAX, POSTGRES_OPEN_MAX,
    POSTGRES_OTHERS, POSTGRES_PARTS, POSTGRES_SWEEP,
};
use crate::networks::{ConnectionPermit, Networks};

/// The server's own limit, without the places it keeps for superusers and reserved roles.
/// `reserved_connections` is there from version 16 on.
const LIMIT_QUERY: &str = "SELECT current_setting('max_connections')::int \
     - current_setting('superuser_reserved_connections')::int \
     - coalesce(current_setting('reserved_connections', true), '0')::int";

/// All database connections of the process. Keep one, and hand it to every component.
pub(crate) struct PostgresService {
    addresses: Addresses,
    handles: Option<Arc<Semaphore>>,
    servers: Mutex<HashMap<String, Arc<Server>>>,
    networks: Arc<Networks>,
    times: Times,
    /// Whether somebody lets go of what has been idle for long.
    swept: AtomicBool,
    own: Weak<PostgresService>,
}

impl std::fmt::Debug for PostgresService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresService").finish_non_exhaustive()
    }
}

/// How long things may take.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// All of opening a handle.
    pub(super) open: Duration,
    /// An idle connection is kept.
    pub(super) idle: Duration,
    /// Between two looks for what has been idle longer.
    pub(super) sweep: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times { open: POSTGRES_OPEN_MAX, idle: POSTGRES_IDLE_MAX, sweep: POSTGRES_SWEEP }
    }
}

impl PostgresService {
    /// `handles_max`: `[outbound_pg] max_connections`, the most connections guests may hold at once
    /// over all servers; no such limit when it is absent. `networks`: where no connection may go.
    pub(crate) fn new(handles_max: Option<usize>, networks: Arc<Networks>) -> Arc<Self> {
        Self::with_times(handles_max, networks, Times::default())
    }

    /// As [`Self::new`], with other times.
    pub(super) fn with_times(
        handles_max: Option<usize>,
        networks: Arc<Networks>,
        times: Times,
    ) -> Arc<Self> {
        let handles = handles_max.map(|max| Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        Arc::new_cyclic(|own| PostgresService {
            addresses: Addresses::default(),
            handles: handles.map(Arc::new),
            servers: Mutex::default(),
            networks,
            times,
            swept: AtomicBool::new(false),
            own: own.clone(),
        })
    }

    /// Reads an address, once for each text.
    pub(super) fn read(&self, text: &str, ca_root: Option<&str>) -> Result<Arc<Address>, Error> {
        self.addresses.read(text, ca_root)
    }

    /// A connection to `address`: an idle one, or a new one within the server's share. One deadline
    /// holds for all that has to be waited for.
    ///
    /// # Errors
    /// `connection-failed`: no connection came free in time, or none could be made.
    pub(crate) async fn open(&self, address: &Arc<Address>) -> Result<Lease, Error> {
        self.sweep_from_now_on();
        let until = Instant::now() + self.times.open;
        let handle = match &self.handles {
            None => None,
            Some(handles) => {
                Some(self.permit(handles, until, "[outbound_pg] max_connections").await?)
            }
        };
        let connection = match timeout_at(until, self.networks.connection()).await {
            Ok(connection) => connection,
            Err(_) => {
                return Err(self.none_came_free("[outbound_networking] max_total_connections"));
            }
        };
        let server = self.server(address.target().server());
        let share = self.share(&server, address, until).await?;
        let part = server.part(address.target(), share.limit);
        let part = self.permit(&part, until, "this database's share").await?;
        let permit = self.permit(&share.permits, until, "this server's share").await?;
        let session = match server.take(address, share) {
            Some(session) => session,
            None => self.connect(address, until).await?,
        };
        let permits =
            Permits { _server: permit, _part: part, _handle: handle, _connection: connection };
        Ok(Lease::new(session, server, permits))
    }

    fn server(&self, name: &str) -> Arc<Server> {
        let mut servers = lock(&self.servers);
        if let Some(server) = servers.get(name) {
            return server.clone();
        }
        servers.entry(name.to_owned()).or_default().clone()
    }

    async fn permit(
        &self,
        from: &Arc<Semaphore>,
        until: Instant,
        limit: &str,
    ) -> Result<OwnedSemaphorePermit, Error> {
        match timeout_at(until, from.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(self.none_came_free(limit)),
        }
    }

    fn none_came_free(&self, limit: &str) -> Error {
        Error::ConnectionFailed(format!(
            "too many connections: none came free in {:?}; all of {limit} are in use",
            self.times.open
        ))
    }

    /// The server's share. The first caller connects and asks how many connections there are; the
    /// one it made for that becomes the first idle one.
    async fn share<'s>(
        &self,
        server: &'s Server,
        address: &Arc<Address>,
        until: Instant,
    ) -> Result<&'s Share, Error> {
        let ask = async || {
            let session = self.connect(address, until).await?;
            let limit = share(ask_limit(&session, until).await);
            server.put(session);
            Ok(Share { permits: Arc::new(Semaphore::new(limit)), limit })
        };
        match timeout_at(until, server.share.get_or_try_init(ask)).await {
            Ok(share) => share,
            // Another was the first, and had no more time than we.
            Err(_) => Err(connection_failed(&DialError::Late {
                place: address.place(),
                waited: self.times.open,
            })),
        }
    }

    async fn connect(&self, address: &Arc<Address>, until: Instant) -> Result<Session, Error> {
        let networks = &self.networks;
        match ward_postgres::dial(address, until, &|ip| !networks.blocks(ip)).await {
            Ok(dialled) => Ok(Session::new(address.clone(), dialled)),
            Err(error) => {
                if let DialError::Blocked(address) = &error {
                    tracing::warn!(%address, "refused a database in a network of block_networks");
                }
                Err(connection_failed(&error))
            }
        }
    }

    /// Sees to it that what is not used goes away, from the first use on.
    fn sweep_from_now_on(&self) {
        if self.swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (own, Times { sweep, .. }) = (self.own.clone(), self.times);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(sweep).await;
                match own.upgrade() {
                    Some(service) => service.sweep(),
                    None => return,
                }
            }
        });
    }

    /// How many connections there are to each server.
    pub(crate) fn counts(&self) -> Vec<(String, Counts)> {
        let servers = lock(&self.servers);
        servers.iter().map(|(name, server)| (name.clone(), server.counts())).collect()
    }

    /// Closes what has been idle for long, and forgets servers and parts that nobody uses.
    fn sweep(&self) {
        let mut servers = lock(&self.servers);
        servers.retain(|_, server| {
            let left = server.sweep(self.times.idle);
            // Who has it from the map is counted, since that happens under the same lock.
            left || Arc::strong_count(server) > 1
        });
    }
}

/// What a handle occupies until its connection is idle again or gone.
pub(super) struct Permits {
    _server: OwnedSemaphorePermit,
    _part: OwnedSemaphorePermit,
    _handle: Option<OwnedSemaphorePermit>,
    _connection: ConnectionPermit,
}

/// The connections of one server that are this process's.
struct Share {
    permits: Arc<Semaphore>,
    limit: usize,
}

/// One database server.
#[derive(Default)]
pub(super) struct Server {
    share: OnceCell<Share>,
    parts: Mutex<HashMap<Arc<Target>, Arc<Semaphore>>>,
    idle: Mutex<VecDeque<Idle>>,
}

struct Idle {
    session: Session,
    since: Instant,
}

/// The connections to one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) used: usize,
    pub(crate) idle: usize,
}

impl Server {
    fn counts(&self) -> Counts {
        let used = |share: &Share| share.limit.saturating_sub(share.permits.available_permits());
        Counts { used: self.share.get().map_or(0, used), idle: lock(&self.idle).len() }
    }

    /// The permits of what one address reaches, out of `limit` for all.
    fn part(&self, target: &Arc<Target>, limit: usize) -> Arc<Semaphore> {
        let mut parts = lock(&self.parts);
        if let Some(part) = parts.get(target) {
            return part.clone();
        }
        parts.entry(target.clone()).or_insert_with(|| Arc::new(Semaphore::new(part(limit)))).clone()
    }

    /// An idle connection for `address`, the one used last, which is the likeliest to be warm. When
    /// there is none, one that reaches the same makes room where the part is used up; where the
    /// server's share is, the oldest of all.
    fn take(&self, address: &Arc<Address>, share: &Share) -> Option<Session> {
        let part_left = self.part(address.target(), share.limit).available_permits();
        let mut idle = lock(&self.idle);
        idle.retain(|idle| !idle.session.is_closed());
        if let Some(found) = idle.iter().rposition(|idle| idle.session.address == *address) {
            return idle.remove(found).map(|idle| idle.session);
        }
        // The caller has its permits already, so these count its connection too.
        let same = |idle: &&Idle| idle.session.address.target() == address.target();
        let busy = part(share.limit).saturating_sub(part_left);
        if busy + idle.iter().filter(same).count() > part(share.limit)
            && let Some(oldest) = idle.iter().position(|idle| same(&idle))
        {
            idle.remove(oldest);
        }
        let busy = share.limit.saturating_sub(share.permits.available_permits());
        if busy + idle.len() > share.limit {
            idle.pop_front();
        }
        None
    }

    /// Takes back a connection that is clean. Call this before its permits are released, so that
    /// idle and busy connections together never pass the limit.
    pub(super) fn put(&self, session: Session) {
        lock(&self.idle).push_back(Idle { session, since: Instant::now() });
    }

    /// Closes what has been idle for longer, and forgets parts without a connection; whether there
    /// is anything left.
    fn sweep(&self, idle_max: Duration) -> bool {
        let mut idle = lock(&self.idle);
        idle.retain(|idle| !idle.session.is_closed() && idle.since.elapsed() <= idle_max);
        let mut parts = lock(&self.parts);
        parts.retain(|target, part| {
            let kept = idle.iter().any(|idle| idle.session.address.target() == target);
            // A permit that is out, or is waited for, holds the semaphore as well.
            kept || Arc::strong_count(part) > 1
        });
        !idle.is_empty() || !parts.is_empty()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics while it holds a lock; and if it did, the data is still consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn ask_limit(session: &Session, until: Instant) -> Option<usize> {
    let answer = timeout_at(until, session.client.simple_query(LIMIT_QUERY)).await.ok()?.ok()?;
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    })
}

/// How many of a server's `usable` connections this process takes: half of what is left after
/// [`POSTGRES_OTHERS`]. The other half is for a second replica, or for the next version during a
/// rolling replacement. With PostgreSQL's default of 100 that is (100 - 3 - 8) / 2 = 44.
fn share(usable: Option<usize>) -> usize {
    usable.map_or(POSTGRES_CONNECTIONS_UNKNOWN, |usable| {
        (usable.saturating_sub(POSTGRES_OTHERS) / 2).clamp(1, POSTGRES_CONNECTIONS_MAX)
    })
}

/// How many of a share one target may have.
fn part(limit: usize) -> usize {
    limit.div_ceil(POSTGRES_PARTS)
}

#[cfg(test)]
impl PostgresService {
    pub(super) fn idle_count(&self, address: &Address) -> usize {
        lock(&self.server(address.target().server()).idle).len()
    }

    pub(super) fn limit_of(&self, address: &Address) -> Option<usize> {
        self.server(address.target().server()).share.get().map(|share| share.limit)
    }

    pub(super) fn server_count(&self) -> usize {
        lock(&self.servers).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        for (usable, expected) in
            [(None, 16), (Some(0), 1), (Some(12), 2), (Some(97), 44), (Some(1000), 64)]
        {
            assert_eq!(share(usable), expected);
        }
    }
}
