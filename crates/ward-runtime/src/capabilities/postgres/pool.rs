//! Connections to database servers, shared by all components of the process.
//!
//! A server's limit of connections counts whatever database and role they are for, so the permits
//! here belong to the server and the idle connections to the address: when a server's share is
//! used up by idle connections of one address, the oldest makes room for another's. (This is why
//! no pool library is used: theirs have a limit per address only.) An address in turn has no more
//! than a part of its server's share: a service whose statements hang leaves the others theirs, and
//! services that are busy at once do not close each other's connections, each of which costs more
//! to make than it then serves. An idle connection is clean; see [`super::lease`] for what happens
//! to one on its way back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;
use ward_manifest::OutboundNetworking;

use super::address::{Address, PoolKey};
use super::error::connection_failed;
use super::lease::Lease;
use super::reach;
use super::session::Session;
use crate::capabilities::bindings::postgres::Error;

/// How long opening a handle waits for a connection. Requests have 30 s; a third of it leaves time
/// to answer with an error that tells why.
const WAIT: Duration = Duration::from_secs(10);

/// Idle connections older than this are closed when the next one comes back, so that a burst does
/// not keep its connections for ever.
const IDLE_MAX: Duration = Duration::from_secs(300);

/// Connections to a server that will not tell its limit.
const LIMIT_UNKNOWN: usize = 16;

/// More connections than this make no server faster, and each costs it memory.
const LIMIT_MAX: usize = 64;

/// The server's own limit, without the places it keeps for superusers and reserved roles.
/// `reserved_connections` is there from version 16 on.
const LIMIT_QUERY: &str = "SELECT current_setting('max_connections')::int \
     - current_setting('superuser_reserved_connections')::int \
     - coalesce(current_setting('reserved_connections', true), '0')::int";

/// All database connections of the process. Keep one, and hand it to every component.
pub(crate) struct PostgresService {
    handles: Option<Arc<Semaphore>>,
    servers: Mutex<HashMap<String, Arc<Server>>>,
    networks: Arc<OutboundNetworking>,
    wait: Duration,
}

impl PostgresService {
    /// `handles_max`: `[outbound_pg] max_connections`, the most connections guests may hold at once
    /// over all servers; no such limit when it is absent. `networks`: where no connection may go.
    pub(crate) fn new(handles_max: Option<usize>, networks: Arc<OutboundNetworking>) -> Arc<Self> {
        Self::with_wait(handles_max, networks, WAIT)
    }

    /// As [`Self::new`], with another time to wait for a free connection.
    pub(super) fn with_wait(
        handles_max: Option<usize>,
        networks: Arc<OutboundNetworking>,
        wait: Duration,
    ) -> Arc<Self> {
        let handles = handles_max.map(|max| Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        Arc::new(PostgresService {
            handles: handles.map(Arc::new),
            servers: Mutex::default(),
            networks,
            wait,
        })
    }

    /// A connection to `address`: an idle one, or a new one within the server's share.
    ///
    /// # Errors
    /// `connection-failed`: no connection came free in time, or none could be made.
    pub(crate) async fn open(&self, address: &Address) -> Result<Lease, Error> {
        let handle = match &self.handles {
            None => None,
            Some(handles) => Some(self.permit(handles, "[outbound_pg] max_connections").await?),
        };
        let server = self.server(&address.server);
        let (limit, most) = server.limit(address, &self.networks).await?;
        let part = self.permit(&server.part(&address.key, *most), "this database's share").await?;
        let permit = self.permit(limit, "this server's share").await?;
        let session = match server.take(&address.key) {
            Some(session) => session,
            None => connect(address, &self.networks).await?,
        };
        Ok(Lease::new(session, server, Permits { _server: permit, _part: part, _handle: handle }))
    }

    fn server(&self, name: &str) -> Arc<Server> {
        let mut servers = lock(&self.servers);
        servers.entry(name.to_owned()).or_default().clone()
    }

    async fn permit(
        &self,
        from: &Arc<Semaphore>,
        limit: &str,
    ) -> Result<OwnedSemaphorePermit, Error> {
        match timeout(self.wait, from.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::ConnectionFailed(format!(
                "too many connections: none came free in {:?}; all of {limit} are in use",
                self.wait
            ))),
        }
    }
}

/// What a handle occupies until its connection is idle again or gone.
pub(super) struct Permits {
    _server: OwnedSemaphorePermit,
    _part: OwnedSemaphorePermit,
    _handle: Option<OwnedSemaphorePermit>,
}

/// One database server.
#[derive(Default)]
pub(super) struct Server {
    limit: OnceCell<(Arc<Semaphore>, usize)>,
    parts: Mutex<HashMap<PoolKey, Arc<Semaphore>>>,
    idle: Mutex<VecDeque<Idle>>,
}

struct Idle {
    session: Session,
    since: Instant,
}

impl Server {
    /// The permits of this server. The first caller connects and asks how many there are; the
    /// connection it made for that becomes the first idle one.
    async fn limit(
        &self,
        address: &Address,
        networks: &OutboundNetworking,
    ) -> Result<&(Arc<Semaphore>, usize), Error> {
        let ask = async || {
            let session = connect(address, networks).await?;
            let limit = share(ask_limit(&session).await);
            self.put(session);
            Ok((Arc::new(Semaphore::new(limit)), limit))
        };
        self.limit.get_or_try_init(ask).await
    }

    /// The permits of one address, out of `limit` for all.
    fn part(&self, key: &PoolKey, limit: usize) -> Arc<Semaphore> {
        let mut parts = lock(&self.parts);
        let part = parts.entry(key.clone());
        part.or_insert_with(|| Arc::new(Semaphore::new(limit.div_ceil(PARTS)))).clone()
    }

    /// An idle connection for `key`, the one used last, which is the likeliest to be warm. When
    /// there is none and the share is used up by others, the oldest of those is closed.
    fn take(&self, key: &PoolKey) -> Option<Session> {
        let mut idle = lock(&self.idle);
        idle.retain(|idle| !idle.session.is_closed());
        if let Some(found) = idle.iter().rposition(|idle| idle.session.key == *key) {
            return idle.remove(found).map(|idle| idle.session);
        }
        if let Some((permits, limit)) = self.limit.get() {
            // The caller has its permit already, so this counts its connection too.
            let busy = limit.saturating_sub(permits.available_permits());
            if busy + idle.len() > *limit {
                idle.pop_front();
            }
        }
        None
    }

    /// Takes back a connection that is clean. Call this before its permits are released, so that
    /// idle and busy connections together never pass the limit.
    pub(super) fn put(&self, session: Session) {
        let mut idle = lock(&self.idle);
        idle.push_back(Idle { session, since: Instant::now() });
        while idle.front().is_some_and(|oldest| oldest.since.elapsed() > IDLE_MAX) {
            idle.pop_front();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics while it holds a lock; and if it did, the data is still consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn connect(address: &Address, networks: &OutboundNetworking) -> Result<Session, Error> {
    let config = reach::config(address, networks).await?;
    // The library's own timeout covers reaching the server only, not its silence afterwards.
    match timeout(WAIT, Session::connect(address, &config)).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => Err(connection_failed(&error)),
        Err(_) => Err(Error::ConnectionFailed(format!(
            "the database did not complete the connection in {WAIT:?}"
        ))),
    }
}

async fn ask_limit(session: &Session) -> Option<usize> {
    let answer = timeout(WAIT, session.client.simple_query(LIMIT_QUERY)).await.ok()?.ok()?;
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    })
}

/// How many of a server's `usable` connections this process takes: half of what is left after
/// [`OTHERS`]. The other half is for a second replica, or for the next version during a rolling
/// replacement. With PostgreSQL's default of 100 that is (100 - 3 - 8) / 2 = 44.
fn share(usable: Option<usize>) -> usize {
    usable.map_or(LIMIT_UNKNOWN, |usable| (usable.saturating_sub(OTHERS) / 2).clamp(1, LIMIT_MAX))
}

/// Into how many parts a server's share goes: as many services as an application has, so that
/// together they do not need what others have idle.
const PARTS: usize = 4;

/// Connections left to migrations, the outbox relay and people with psql.
const OTHERS: usize = 8;

#[cfg(test)]
impl PostgresService {
    pub(super) fn idle_count(&self, address: &Address) -> usize {
        lock(&self.server(&address.server).idle).len()
    }

    pub(super) fn limit_of(&self, address: &Address) -> Option<usize> {
        self.server(&address.server).limit.get().map(|(_, limit)| *limit)
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
