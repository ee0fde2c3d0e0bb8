//! Start, stop, restart, crash, adoption, and two owners of one state directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use ward_embedded::{ClusterState, EmbeddedError, Options, Origin, Postgres, quiet, wanted};

use crate::{connect, start, value};

/// Names the state directory to the process that plays the owner to be killed.
const OWNER_STATE: &str = "WARD_TEST_OWNER_STATE";

/// A state directory every user may enter, so that the data stays inside when tests run as root.
fn state() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let state = directory.path().join(".ward");
    (directory, state)
}

fn postmaster(state: &Path) -> Pid {
    let text = fs::read_to_string(state.join("postgres/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

#[tokio::test]
async fn data_port_and_password_survive_a_restart() {
    let (_directory, state) = state();
    let server = start(&state).await;
    assert_eq!(server.origin(), Origin::Created);
    let (host, admin) = (server.host(), server.admin_url());
    let url = server.ensure_database("auth", "secret").await.unwrap();
    let client = connect(&url).await.unwrap();
    client.batch_execute("CREATE TABLE kept AS SELECT 42 AS n").await.unwrap();
    server.stop().await.unwrap();
    assert!(connect(&url).await.is_err());

    let server = start(&state).await;
    assert_eq!(server.origin(), Origin::Started);
    assert_eq!((server.host(), server.admin_url()), (host, admin));
    let client = connect(&url).await.unwrap();
    assert_eq!(value::<i32>(&client, "SELECT n FROM kept").await, 42);
    assert_eq!(value::<String>(&client, "SHOW fsync").await, "on");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_service_comes_into_no_database_but_its_own() {
    let (_directory, state) = state();
    let server = start(&state).await;
    server.ensure_database("auth", "secret").await.unwrap();
    for database in ["postgres", "template1"] {
        let url = format!("postgres://auth:secret@{}/{database}", server.host());
        let error = connect(&url).await.err().unwrap();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{database}");
    }
    server.stop().await.unwrap();
}

/// As when a ward and its server are killed in a recovery: a process of the server's that is left,
/// and goes only when it is told to go on.
fn leave_behind(state: &Path) -> Pid {
    let mut owner = spawn_owner(state);
    let first = postmaster(state);
    let child = children(first).into_iter().next().expect("a process of the server's");
    kill_process(child, Signal::STOP).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    kill_process(first, Signal::KILL).unwrap();
    child
}

#[tokio::test]
async fn what_is_left_of_a_killed_server_is_waited_for() {
    let (_directory, state) = state();
    let child = leave_behind(&state);
    let going_on = tokio::spawn(async move {
        sleep(Duration::from_secs(3)).await;
        kill_process(child, Signal::CONT).unwrap();
    });
    let began = Instant::now();
    let said = Arc::new(Mutex::new(Vec::new()));
    let lines = said.clone();
    let progress = Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned()));
    let options = Options { state: state.clone(), install: false, progress, unwanted: wanted() };
    let server = Postgres::start(options).await.unwrap();
    assert!(began.elapsed() > Duration::from_secs(2), "nothing was in its way");
    going_on.await.unwrap();
    let said = said.lock().unwrap().join("\n");
    assert_eq!(said.matches("their end is waited for, 60 s at most").count(), 1, "{said}");
    let client = connect(&server.admin_url()).await.unwrap();
    assert_eq!(value::<i32>(&client, "SELECT 1").await, 1);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_start_that_waits_is_given_up_when_it_is_not_wanted_any_more() {
    let (_directory, state) = state();
    let child = leave_behind(&state);
    let unwanted = Box::pin(sleep(Duration::from_secs(2)));
    let options = Options { state: state.clone(), install: false, progress: quiet(), unwanted };
    let began = Instant::now();
    let error = Postgres::start(options).await.err().unwrap();
    assert!(matches!(error, EmbeddedError::Unwanted), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20), "it was waited for to the end");
    kill_process(child, Signal::CONT).unwrap();
    // Nothing is left that the next start would find.
    let server = start(&state).await;
    assert_eq!(server.origin(), Origin::Started);
    server.stop().await.unwrap();
}

/// The processes that a server has started.
fn children(parent: Pid) -> Vec<Pid> {
    let file = format!("/proc/{0}/task/{0}/children", parent.as_raw_nonzero());
    let text = fs::read_to_string(file).unwrap();
    text.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

#[tokio::test]
async fn secrets_and_logs_are_private() {
    let (_directory, state) = state();
    let server = start(&state).await;
    for name in ["postgres.password", "postgres.log"] {
        let mode = fs::metadata(state.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(!state.join("postgres.initdb").exists());
    let mode = fs::metadata(state.join("postgres")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_crashed_server_is_started_again() {
    let (_directory, state) = state();
    let server = start(&state).await;
    let first = postmaster(&state);
    kill_process(first, Signal::KILL).unwrap();
    let client = timeout(Duration::from_secs(30), async {
        loop {
            // The old backends may answer for a moment longer.
            if let Ok(client) = connect(&server.admin_url()).await
                && postmaster(&state) != first
            {
                break client;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(value::<i32>(&client.await.unwrap(), "SELECT 1").await, 1);
    server.stop().await.unwrap();
    assert!(!state.join("postgres/postmaster.pid").exists());
}

#[tokio::test]
async fn the_second_ward_is_refused() {
    let (_directory, state) = state();
    let server = start(&state).await;
    let options =
        Options { state: state.clone(), install: false, progress: quiet(), unwanted: wanted() };
    let error = Postgres::start(options).await.err().unwrap();
    assert!(matches!(error, EmbeddedError::Locked { .. }), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    assert!(!error.to_string().contains('\n'));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_outlived_its_ward_is_adopted() {
    let (_directory, state) = state();
    let mut owner = spawn_owner(&state);
    let postmaster_first = postmaster(&state);
    owner.kill().unwrap();
    owner.wait().unwrap();

    let server = start(&state).await;
    assert_eq!(server.origin(), Origin::Adopted);
    assert_eq!(postmaster(&state), postmaster_first);
    let client = connect(&server.admin_url()).await.unwrap();
    assert_eq!(value::<i32>(&client, "SELECT 1").await, 1);
    server.stop().await.unwrap();
    assert!(!state.join("postgres/postmaster.pid").exists());
}

#[tokio::test]
async fn a_pid_file_of_another_process_is_no_obstacle() {
    let (_directory, state) = state();
    start(&state).await.stop().await.unwrap();
    // The id belongs to a living process, this one, as happens in a container that was restarted.
    let text = format!("{}\n{}\n1\n5433\n\n\n", std::process::id(), state.display());
    fs::write(state.join("postgres/postmaster.pid"), text).unwrap();
    let server = start(&state).await;
    assert_eq!(server.origin(), Origin::Started);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_pid_file_that_cannot_be_read_is_no_obstacle() {
    let (_directory, state) = state();
    assert_eq!(Postgres::look(&state).unwrap(), None);
    start(&state).await.stop().await.unwrap();
    let (data, file) = (state.join("postgres"), state.join("postgres/postmaster.pid"));
    let data = fs::canonicalize(data).unwrap();
    assert_eq!(Postgres::look(&state).unwrap(), Some(ClusterState::Stopped(data.clone())));
    // As a loss of power leaves it.
    fs::write(&file, [0; 64]).unwrap();
    let unreadable = ClusterState::Unreadable(data.join("postmaster.pid"));
    assert_eq!(Postgres::look(&state).unwrap(), Some(unreadable));
    let server = start(&state).await;
    assert_eq!(server.origin(), Origin::Started);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_its_pid_file_does_not_name_is_found() {
    let (_directory, state) = state();
    let server = start(&state).await;
    let (file, own) = (state.join("postgres/postmaster.pid"), postmaster(&state));
    let text = fs::read(&file).unwrap();
    for broken in [Some("garbage\n"), Some(""), None] {
        match broken {
            Some(broken) => fs::write(&file, broken).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let error = Postgres::look(&state).unwrap_err();
        let (said, help) = (error.to_string(), error.help().unwrap());
        assert!(said.contains(&format!("process {own}")), "{said}");
        assert!(help.contains(&format!("kill -INT {own}")), "{help}");
    }
    fs::write(&file, text).unwrap();
    assert!(matches!(Postgres::look(&state).unwrap(), Some(ClusterState::Running(..))));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_lost_password_is_said_to_be_lost() {
    let (_directory, state) = state();
    start(&state).await.stop().await.unwrap();
    let file = state.join("postgres.password");
    for left in [Some(""), Some(" \n"), Some("\0\0\0\0"), None] {
        match left {
            Some(text) => fs::write(&file, text).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let state = state.clone();
        let options = Options { state, install: false, progress: quiet(), unwanted: wanted() };
        let error = Postgres::start(options).await.err().unwrap();
        assert!(matches!(error, EmbeddedError::PasswordLost(_)), "{left:?}: {error}");
        assert!(error.to_string().contains("postgres.password"), "{error}");
        assert!(error.help().is_some());
    }
}

/// A start that lost its power between the password and the cluster.
#[tokio::test]
async fn an_empty_password_of_no_data_is_made_again() {
    let (_directory, state) = state();
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("postgres.password"), "").unwrap();
    start(&state).await.stop().await.unwrap();
}

/// Starts this test binary again as a ward that will be killed, and waits until it is serving.
fn spawn_owner(state: &Path) -> Child {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifecycle::owner", "--nocapture"])
        .env(OWNER_STATE, state)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ready = state.join("ready");
    while !ready.exists() {
        assert_eq!(owner.try_wait().unwrap(), None, "the owner has ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    owner
}

/// The owner's side of the adoption test; on its own it has nothing to do.
#[tokio::test]
async fn owner() {
    let Some(state) = std::env::var_os(OWNER_STATE).map(PathBuf::from) else { return };
    let _server = start(&state).await;
    fs::write(state.join("ready"), "").unwrap();
    std::future::pending::<()>().await;
}
