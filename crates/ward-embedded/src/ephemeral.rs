//! A throwaway server for tests. It goes away with its owner, however that ends: a shell between
//! the two waits on a pipe that closes when the owner is dropped, exits or is killed, and then
//! stops the server and removes its files.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::account::{self, Account};
use crate::binaries::Installation;
use crate::cluster::{self, Durability};
use crate::command;
use crate::connect::Admin;
use crate::error::EmbeddedError;
use crate::install::ensure_installed;
use crate::place::ClusterFiles;
use crate::postgres::{blocking, quiet};
use crate::provision::{self, ExistingRole, Owner, generate_password};

/// Runs the server in the background until the pipe on standard input closes. `$1` is the
/// directory, which is removed in the end; the rest is the server's command line. The number of
/// rounds is a limit (30 s) for a server that does not want to go.
const GUARDIAN: &str = r#"
directory=$1; shift
( "$@" </dev/null >"$directory/log" 2>&1; : >"$directory/ended" ) &
read -r _
rounds=300
while [ ! -e "$directory/ended" ] && [ "$rounds" -gt 0 ]; do
  kill -QUIT "$(head -n 1 "$directory/postgres/postmaster.pid")"
  sleep 0.1
  rounds=$((rounds - 1))
done
rm -rf "$directory"
"#;

/// How often a port that somebody else took in the meantime is tolerated.
const ATTEMPTS: u32 = 3;

/// A PostgreSQL server for tests. Nothing is synced to disk; dropping it stops it.
pub struct Ephemeral {
    admin: Admin,
    guardian: Guardian,
    databases: AtomicU64,
}

impl Ephemeral {
    /// Starts a server of its own in a new temporary directory.
    pub(crate) async fn start() -> Result<Self, EmbeddedError> {
        let mut attempt = 1;
        loop {
            let (guardian, admin) = blocking(prepare).await?;
            let Err(reason) = admin.connect_when_ready(|| guardian.check()).await else {
                return Ok(Self { admin, guardian, databases: AtomicU64::new(0) });
            };
            if attempt == ATTEMPTS {
                let log = guardian.directory.join("log");
                return Err(EmbeddedError::Start { reason, log });
            }
            attempt += 1;
        }
    }

    /// `127.0.0.1:<port>`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.admin.port)
    }

    /// The superuser's address, of the database `postgres`.
    #[must_use]
    pub fn admin_url(&self) -> String {
        self.admin.url("postgres")
    }

    /// Makes a new, empty database with a role of its own and returns the role's address.
    pub async fn create_database(&self) -> Result<String, EmbeddedError> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let password = generate_password();
        let client = self.admin.connect_when_ready(|| self.guardian.check()).await;
        let client = client.map_err(EmbeddedError::Database)?;
        let (existing, owner) = (ExistingRole::SetPassword, Owner::Itself);
        provision::ensure_database(&client, &name, &password, existing, owner).await?;
        Ok(provision::database_url(&self.host(), &name, &password, &name))
    }

    /// The directory of the server's files and of its `log`.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.guardian.directory
    }
}

fn prepare() -> Result<(Guardian, Admin), EmbeddedError> {
    let installation = ensure_installed(&quiet())?;
    let directory = tempfile::Builder::new()
        .prefix("ward-postgres-")
        .tempdir()
        .map_err(EmbeddedError::io("creating a temporary directory"))?;
    let home = fs::canonicalize(directory.path())
        .map_err(EmbeddedError::io("creating a temporary directory"))?;
    let data = home.join("postgres");
    let account = account::choose(&data)?;
    if let Some(Account { uid, gid }) = account {
        chown(&home, Some(uid), Some(gid))
            .map_err(EmbeddedError::io(format!("giving away {}", home.display())))?;
    }
    let place = ClusterFiles { home, data, account, elsewhere: true };
    let password = cluster::password(&place)?;
    cluster::initialise(&place, &installation, &password, Durability::None)?;
    let port = cluster::free_port()?;
    let guardian = Guardian::spawn(&installation, &place, port)?;
    // From here on the guardian removes the directory.
    drop(directory.keep());
    Ok((guardian, Admin { port, password }))
}

/// The shell between a test and its server.
struct Guardian {
    shell: Child,
    /// Held open for as long as the server is wanted.
    pipe: Option<ChildStdin>,
    directory: PathBuf,
}

impl Guardian {
    fn spawn(
        installation: &Installation,
        place: &ClusterFiles,
        port: u16,
    ) -> Result<Self, EmbeddedError> {
        let server = cluster::server(place, installation, port, Durability::None);
        let mut shell = command::as_account(Path::new("/bin/sh"), place.account)
            .args(["-c", GUARDIAN, "ward-guardian"])
            .arg(&place.home)
            .arg(server.get_program())
            .args(server.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C at the terminal ends the tests; the pipe tells the guardian.
            .process_group(0)
            .spawn()
            .map_err(EmbeddedError::io("starting /bin/sh"))?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe, directory: place.home.clone() })
    }

    /// Whether the server is running or about to; otherwise the end of its log.
    fn check(&self) -> Result<(), String> {
        if !self.directory.join("ended").exists() {
            return Ok(());
        }
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        Err(command::tail(&log))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.pipe.take());
        if let Err(error) = self.shell.wait() {
            tracing::warn!(%error, "waiting for a test's PostgreSQL to end");
        }
    }
}
