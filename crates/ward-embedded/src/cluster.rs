//! The cluster on disk: made once with initdb, its superuser's password and its port remembered
//! beside it, and the settings the server is started with.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::Account;
use crate::binaries::Installation;
use crate::command::{program, run};
use crate::error::EmbeddedError;
use crate::place::{ClusterFiles, private_directory};
use crate::provision::generate_password;

/// The superuser of every cluster made here.
pub(crate) const SUPERUSER: &str = "postgres";

/// Settings every server gets. Personal data must not reach the log, so neither statements nor
/// details of errors do: `log` ranks above `error` there, and terse drops what quotes values.
const SETTINGS: [&str; 9] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "password_encryption=scram-sha-256",
    "log_min_messages=log",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "logging_collector=off",
    "log_timezone=UTC",
    "timezone=UTC",
];

/// How a new cluster trades safety for speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Everything is synced: an answered write survives a crash of the machine.
    Full,
    /// Nothing is synced: for tests, whose data nobody wants back.
    None,
}

/// The superuser's password, made with the cluster and read again ever after.
pub(crate) fn password(place: &ClusterFiles) -> Result<String, EmbeddedError> {
    let path = place.home.join("postgres.password");
    let is_there = match fs::read_to_string(&path) {
        // A loss of power leaves a file empty or full of zeros.
        Ok(text) => match text.trim_matches(|char: char| char.is_whitespace() || char == '\0') {
            "" => true,
            password => return Ok(password.to_owned()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(source) => {
            return Err(EmbeddedError::Io { what: format!("reading {}", path.display()), source });
        }
    };
    if place.is_initialised() {
        return Err(EmbeddedError::PasswordLost(path));
    }
    let password = generate_password();
    let removed = if is_there { fs::remove_file(&path) } else { Ok(()) };
    let written = removed.and_then(|()| write_private(&path, &password, None));
    written.map_err(EmbeddedError::io(format!("writing {}", path.display())))?;
    Ok(password)
}

fn write_private(path: &Path, text: &str, owner: Option<Account>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    owner.map_or(Ok(()), |Account { uid, gid }| chown(path, Some(uid), Some(gid)))
}

/// Makes the cluster. It is made under another name and then moved, so that an interrupted initdb
/// leaves nothing that looks like a cluster.
pub(crate) fn initialise(
    place: &ClusterFiles,
    installation: &Installation,
    password: &str,
    durability: Durability,
) -> Result<(), EmbeddedError> {
    let staging = place.home.join("postgres.new");
    if staging.exists() {
        fs::remove_dir_all(&staging)
            .map_err(EmbeddedError::io(format!("removing {}", staging.display())))?;
    }
    private_directory(&staging, place.account)?;
    let password_file = PasswordFile::create(&place.home, password, place.account)?;
    let mut last = Ok(());
    for locale in locales(installation.major) {
        let mut command = program(installation, "initdb", place.account);
        initdb_arguments(&mut command, &staging, &password_file.path, durability);
        last = run("initdb", command_with(command, locale));
        if last.is_ok() {
            break;
        }
    }
    last?;
    fs::rename(&staging, &place.data)
        .map_err(EmbeddedError::io(format!("creating {}", place.data.display())))
}

fn initdb_arguments(
    command: &mut Command,
    data: &Path,
    password_file: &Path,
    durability: Durability,
) {
    command.arg("--pgdata").arg(data).arg("--pwfile").arg(password_file);
    command.args(["--username", SUPERUSER, "--encoding=UTF8", "--data-checksums"]);
    command.args(["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]);
    command.args(["--lc-messages=C", "--no-instructions"]);
    if durability == Durability::None {
        command.arg("--no-sync");
    }
}

fn command_with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

/// Locales that order by code point and know all of Unicode's letters, best first. Which of them
/// work depends on the version, the C library, and how PostgreSQL was built.
fn locales(major: u32) -> &'static [&'static [&'static str]] {
    const BUILTIN: &[&str] =
        &["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"];
    const LIBC: &[&str] = &["--locale=C.UTF-8"];
    const ICU: &[&str] = &["--locale-provider=icu", "--icu-locale=und", "--locale=C"];
    const PLAIN: &[&str] = &["--locale=C"];
    match major {
        17.. => &[BUILTIN, LIBC, ICU, PLAIN],
        _ => &[LIBC, ICU, PLAIN],
    }
}

/// initdb's copy of the password: readable by its account, and gone when initdb is.
struct PasswordFile {
    path: PathBuf,
}

impl PasswordFile {
    fn create(
        home: &Path,
        password: &str,
        account: Option<Account>,
    ) -> Result<Self, EmbeddedError> {
        let path = home.join("postgres.initdb");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(EmbeddedError::io(format!("removing {}", path.display()))(error));
            }
            _ => {}
        }
        write_private(&path, password, account)
            .map_err(EmbeddedError::io(format!("writing {}", path.display())))?;
        Ok(Self { path })
    }
}

impl Drop for PasswordFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "could not remove initdb's password file");
        }
    }
}

/// The port this cluster used last, if it is free; otherwise a new one, which is remembered.
pub(crate) fn port(place: &ClusterFiles) -> Result<u16, EmbeddedError> {
    let path = place.home.join("postgres.port");
    let remembered = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
    if let Some(port) = remembered.filter(|port| is_free(*port)) {
        return Ok(port);
    }
    let port = free_port()?;
    fs::write(&path, format!("{port}\n"))
        .map_err(EmbeddedError::io(format!("writing {}", path.display())))?;
    Ok(port)
}

/// Whether nobody listens on a port of the loopback address.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port nobody listens on right now.
pub(crate) fn free_port() -> Result<u16, EmbeddedError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(EmbeddedError::io("looking for a free port"))
}

/// The major version that made the cluster.
pub(crate) fn major_version(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The server's command line. The data directory is named in full, because that is how a server
/// that outlived its ward is recognised.
pub(crate) fn server(
    place: &ClusterFiles,
    installation: &Installation,
    port: u16,
    durability: Durability,
) -> Command {
    let mut command = program(installation, "postgres", place.account);
    command.arg("-D").arg(&place.data).arg("-c").arg(format!("port={port}"));
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    if durability == Durability::Full {
        // Services start with empty tables, and what was planned for those is planned anew once
        // the tables were looked at: a minute of it is long for who tries something.
        command.args(["-c", "autovacuum_naptime=15s"]);
    }
    if durability == Durability::None {
        command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
        command.args(["-c", "synchronous_commit=off", "-c", "shared_buffers=32MB"]);
    }
    command
}
