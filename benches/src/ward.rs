//! Starts servers for a benchmark, waits until they answer, reads their memory, and stops them.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

/// How long a server may take to answer: a first start compiles the components.
const READY_WAIT_MAX: Duration = Duration::from_secs(120);

/// A server under measurement.
pub(crate) struct Server {
    child: Child,
    /// How long it took from the start of the process to the first answer.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts `command` and waits until `url` answers with any status.
    pub(crate) async fn start(mut command: Command, url: &str) -> Result<Self> {
        let start = Instant::now();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().context("the server did not start")?;
        let client = reqwest::Client::new();
        while client.get(url).send().await.is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("the server ended before it answered: {status}");
            }
            if start.elapsed() > READY_WAIT_MAX {
                bail!("the server did not answer at {url}");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(Self { child, ready_after: start.elapsed() })
    }

    /// Resident memory in MiB, from the kernel.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let pid = self.child.id().context("the server has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .context("the kernel says nothing of VmRSS")?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }

    /// Asks the server to end and waits for it.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().context("the server has ended")?;
        Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        self.child.wait().await?;
        Ok(())
    }
}
