//! The embedded server as its owner sees it: started, adopted or refused in `start`, used through
//! addresses, and stopped in `stop`. Everything else in this crate is a step of one of these.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::account;
use crate::binaries::{Installation, installations};
use crate::cluster::{self, Durability};
use crate::connect::{Admin, RECOVERY_MAX, SILENCE_MAX};
use crate::ephemeral::Ephemeral;
use crate::error::EmbeddedError;
use crate::install::ensure_installed;
use crate::lock::StateLock;
use crate::place::{self, ClusterFiles};
use crate::postmaster::{self, Server};
use crate::provision::{self, ExistingRole, Owner};
use crate::supervisor::{Launch, LogTail, StopRequest, supervise};
use crate::wait::{SAID_AFTER, Unwanted, Waits};

/// Told, one line at a time, what is going on.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// A [`Progress`] for those who do not want to know.
#[must_use]
pub fn quiet() -> Progress {
    Arc::new(|_| {})
}

/// Another process may take a port between our choosing it and the server's.
const PORT_ATTEMPTS: u32 = 3;

/// What a server says that finds processes of one that was killed. They notice it by themselves,
/// one that recovers after a while only.
const LEFT_BEHIND: &str = "pre-existing shared memory block";

/// How long those are waited for, and between two looks.
const LEFT_BEHIND_MAX: Duration = Duration::from_secs(60);
const LEFT_BEHIND_PAUSE: Duration = Duration::from_millis(200);

/// How to start.
pub struct Options {
    /// The state directory, usually `.ward`; made if it is not there.
    pub state: PathBuf,
    /// Whether missing server programs may be installed.
    pub install: bool,
    /// Told what is going on.
    pub progress: Progress,
    /// Whether it is still wanted: if not, a start fails with [`EmbeddedError::Unwanted`] once what
    /// it has started is stopped.
    pub unwanted: Unwanted,
}

/// How the server came to be running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The cluster was made by this start.
    Created,
    /// The cluster was there; the server was started.
    Started,
    /// The server was running already, left by a ward that was killed.
    Adopted,
}

/// What there is of a state directory's server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterState {
    /// Data, and no server.
    Stopped(PathBuf),
    /// A server of this data, with its process.
    Running(PathBuf, i32),
    /// Data with a pid file that names no process.
    Unreadable(PathBuf),
}

/// A running, supervised PostgreSQL server. Call [`Postgres::stop`]; a value that is only dropped
/// asks its supervisor to stop the server, but does not wait.
pub struct Postgres {
    admin: Admin,
    origin: Origin,
    version: String,
    stop: oneshot::Sender<StopRequest>,
    _lock: StateLock,
}

impl Postgres {
    /// Starts the server of a state directory and returns when it answers.
    pub async fn start(options: Options) -> Result<Self, EmbeddedError> {
        let state = place::create_state(&options.state)?;
        let lock = StateLock::acquire(&state)?;
        let prepared = {
            let (state, progress) = (state.clone(), options.progress.clone());
            blocking(move || prepare(&state, options.install, &progress)).await?
        };
        let mut waits = Waits { progress: options.progress, unwanted: options.unwanted };
        waits.until("", std::future::ready(())).await?;
        let log = state.join("postgres.log");
        let Prepared { place, installation, password, created } = prepared;
        let version = installation.version.clone();
        let running = Running { place, installation, password, log };
        let (launch, mut server, admin, adopted) = match running.adopt(&mut waits).await? {
            Some(found) => found,
            None => running.launch(&mut waits).await?,
        };
        if let Err(error) = close(&admin).await {
            server.stop(&launch.place.data).await?;
            return Err(error);
        }
        let origin = match (created, adopted) {
            (true, _) => Origin::Created,
            (false, true) => Origin::Adopted,
            (false, false) => Origin::Started,
        };
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(supervise(launch, server, stopped));
        Ok(Self { admin, origin, version, stop, _lock: lock })
    }

    /// Whether a server of this state directory was ever started, so that there is data in it.
    #[must_use]
    pub fn exists(state: &Path) -> bool {
        place::has_cluster(state)
    }

    /// Looks at the data and the pid file of a state directory; `None` where there is no data.
    /// Fails where it is not clear which data is meant, and where this user could not start it.
    pub fn look(state: &Path) -> Result<Option<ClusterState>, EmbeddedError> {
        let found = place::find(state)?.filter(|data| data.exists());
        let Some(data) = found else { return Ok(None) };
        account::refuse_foreign(&data)?;
        if let Some(running) = postmaster::running(&data)? {
            return Ok(Some(ClusterState::Running(data, running.pid.as_raw_nonzero().get())));
        }
        if let Some(server) = postmaster::unnamed(&data) {
            return Err(EmbeddedError::PidFileLost { data, server });
        }
        let file = data.join("postmaster.pid");
        Ok(Some(match postmaster::is_unreadable(&file) {
            true => ClusterState::Unreadable(file),
            false => ClusterState::Stopped(data),
        }))
    }

    /// Fails where this user could not use a state directory, or not make it.
    pub fn may_use(state: &Path) -> Result<(), EmbeddedError> {
        place::may_use(state)
    }

    /// A throwaway server for tests: its own directory, nothing synced, gone when dropped.
    pub async fn ephemeral() -> Result<Ephemeral, EmbeddedError> {
        Ephemeral::start().await
    }

    /// How the server came to be running.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The server's version, such as `15.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `127.0.0.1:<port>`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.admin.port)
    }

    /// The superuser's address: a secret.
    #[must_use]
    pub fn admin_url(&self) -> String {
        self.admin.url("postgres")
    }

    /// Makes sure that the database and role `name` exist, with this password, and returns the
    /// role's address: a secret.
    pub async fn ensure_database(
        &self,
        name: &str,
        password: &str,
    ) -> Result<String, EmbeddedError> {
        let client = self.client().await?;
        let (existing, owner) = (ExistingRole::SetPassword, Owner::Itself);
        provision::ensure_database(&client, name, password, existing, owner).await?;
        Ok(provision::database_url(&self.host(), name, password, name))
    }

    /// A connection as the superuser.
    pub async fn client(&self) -> Result<Client, EmbeddedError> {
        let ready = self.admin.connect_when_ready(|| Ok(())).await;
        ready.map_err(EmbeddedError::Database)
    }

    /// Stops the server and waits until it has.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let (answer, stopped) = oneshot::channel();
        // A supervisor that is gone has stopped the server; both failures mean just that.
        if self.stop.send(answer).is_err() {
            return Ok(());
        }
        stopped.await.unwrap_or(Ok(()))
    }
}

/// Nobody but the superuser has anything to do in the databases that every server has: who may
/// connect there may hold locks that others wait for.
async fn close(admin: &Admin) -> Result<(), EmbeddedError> {
    let ready = admin.connect_when_ready(|| Ok(())).await;
    let client = ready.map_err(EmbeddedError::Database)?;
    client.batch_execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC").await?;
    Ok(())
}

/// Everything on disk that a start needs.
struct Prepared {
    place: ClusterFiles,
    installation: Installation,
    password: String,
    created: bool,
}

/// The blocking part of a start: programs, place, password, cluster.
fn prepare(
    state: &std::path::Path,
    install: bool,
    progress: &Progress,
) -> Result<Prepared, EmbeddedError> {
    let newest = match install {
        true => ensure_installed(progress)?,
        false => installations().into_iter().next().ok_or(EmbeddedError::NotInstalled)?,
    };
    let place = place::choose(state, &newest)?;
    if place.elsewhere {
        progress(&format!(
            "PostgreSQL's data is in {} (its user cannot enter {})",
            place.data.display(),
            state.display()
        ));
    }
    let password = cluster::password(&place)?;
    let created = !place.is_initialised();
    if created {
        progress(&format!("creating a PostgreSQL {} cluster", newest.version));
        cluster::initialise(&place, &newest, &password, Durability::Full)?;
        return Ok(Prepared { place, installation: newest, password, created });
    }
    let installation = matching(&place, newest)?;
    Ok(Prepared { place, installation, password, created })
}

/// The installed server of the cluster's own major version.
fn matching(place: &ClusterFiles, newest: Installation) -> Result<Installation, EmbeddedError> {
    let wanted = cluster::major_version(&place.data).unwrap_or(newest.major);
    if newest.major == wanted {
        return Ok(newest);
    }
    let found = installations().into_iter().find(|installation| installation.major == wanted);
    found.ok_or_else(|| EmbeddedError::WrongVersion { data: place.data.clone(), wanted })
}

/// What a start ends with: how to start again, the server, its address, and whether it was there.
type Started = (Launch, Server, Admin, bool);

struct Running {
    place: ClusterFiles,
    installation: Installation,
    password: String,
    log: PathBuf,
}

impl Running {
    fn with_port(&self, port: u16) -> (Launch, Admin) {
        let launch = Launch {
            place: self.place.clone(),
            installation: self.installation.clone(),
            port,
            log: self.log.clone(),
        };
        (launch, Admin { port, password: self.password.clone() })
    }

    /// Keeps a server of our data that is running already and lets us in. One that does not is
    /// stopped, and the start goes on as if it had not been there.
    async fn adopt(&self, waits: &mut Waits) -> Result<Option<Started>, EmbeddedError> {
        let data = &self.place.data;
        let Some(file) = postmaster::running(data)? else { return Ok(None) };
        let mut server = Server::Adopted(file.pid);
        let (launch, admin) = self.with_port(file.port);
        let connecting = admin.connect_when_ready(|| server.check(data));
        let ready = waits.until(&not_ready(), connecting).await;
        match ready {
            Ok(Ok(_)) => Ok(Some((launch, server, admin, true))),
            Ok(Err(reason)) => {
                tracing::warn!(%reason, "stopping a PostgreSQL that was left running");
                server.stop(data).await?;
                Ok(None)
            }
            Err(unwanted) => {
                server.stop(data).await?;
                Err(unwanted)
            }
        }
    }

    async fn launch(&self, waits: &mut Waits) -> Result<Started, EmbeddedError> {
        let (mut attempt, started, mut is_said) = (1, Instant::now(), false);
        loop {
            let (launch, admin) = self.with_port(cluster::port(&self.place)?);
            let log = LogTail::from_now(&self.log);
            let mut server = launch.spawn()?;
            let connecting = admin.connect_when_ready(|| server.check(&self.place.data));
            let ready = waits.until(&not_ready(), connecting).await;
            let reason = match ready {
                Ok(Ok(_)) => return Ok((launch, server, admin, false)),
                Ok(Err(reason)) => Ok(reason),
                Err(unwanted) => Err(unwanted),
            };
            server.stop(&self.place.data).await?;
            let reason = reason?;
            let fatal = log.fatal();
            let is_left = fatal.as_ref().is_some_and(|line| line.contains(LEFT_BEHIND));
            if is_left && started.elapsed() < LEFT_BEHIND_MAX {
                if !is_said && started.elapsed() >= SAID_AFTER {
                    is_said = true;
                    (waits.progress)(&left_behind());
                }
                waits.until("", sleep(LEFT_BEHIND_PAUSE)).await?;
                continue;
            }
            if attempt == PORT_ATTEMPTS {
                let reason =
                    fatal.map_or(reason.clone(), |line| format!("{reason}, saying: {line}"));
                return Err(EmbeddedError::Start { reason, log: self.log.clone() });
            }
            attempt += 1;
        }
    }
}

/// What is said of a server that takes long to let us in.
fn not_ready() -> String {
    format!(
        "PostgreSQL is not ready yet: it is waited for, {} s at most, and while it recovers from a \
         crash {} min",
        SILENCE_MAX.as_secs(),
        RECOVERY_MAX.as_secs() / 60
    )
}

/// What is said when a killed server has left processes.
fn left_behind() -> String {
    format!(
        "processes of a PostgreSQL that was killed are still there: their end is waited for, {} s \
         at most",
        LEFT_BEHIND_MAX.as_secs()
    )
}

/// Runs blocking work off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EmbeddedError> + Send + 'static,
) -> Result<T, EmbeddedError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| EmbeddedError::Io {
        what: "preparing PostgreSQL".to_owned(),
        source: std::io::Error::other(error),
    })?
}
