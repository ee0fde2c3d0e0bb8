//! How long `ward up` takes until it answers, with PostgreSQL already running, cold and warm, and
//! how much memory it holds when idle.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::process::Command;
use ward_embedded::{Ephemeral, Postgres};

use crate::tools;
use crate::ward::Server;

const WARM_STARTS: usize = 5;

pub(crate) async fn run() -> Result<()> {
    let postgres = Postgres::ephemeral().await?;
    let directory = tempfile::tempdir()?;
    let cold = up(&postgres, directory.path()).await?;
    println!("cold start, components compiled: {:.2} s", cold.ready_after.as_secs_f64());
    cold.stop().await?;
    for _ in 0..WARM_STARTS {
        let warm = up(&postgres, directory.path()).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        println!(
            "warm start: {:.3} s, idle {:.1} MiB resident",
            warm.ready_after.as_secs_f64(),
            warm.resident_mib()?
        );
        warm.stop().await?;
    }
    Ok(())
}

/// `ward up` on the repository's own application against a server that is running.
pub(crate) async fn up(postgres: &Ephemeral, state: &Path) -> Result<Server> {
    let port = tools::free_port()?;
    up_on(postgres, state, port).await
}

/// As [`up`], on a known port.
pub(crate) async fn up_on(postgres: &Ephemeral, state: &Path, port: u16) -> Result<Server> {
    let mut command = Command::new(tools::ward()?);
    command.arg("up").arg("--from").arg(tools::root()).args(["--demo", "--no-listeners"]);
    command.args(["--database-url", &postgres.admin_url()]).arg("--state-dir").arg(state);
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--grpc-listen", "127.0.0.1:0"]);
    command.env("WARD_LOG", "warn");
    Server::start(command, &format!("http://127.0.0.1:{port}/.well-known/spin/health")).await
}
