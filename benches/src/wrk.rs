//! Runs `wrk`, the load generator, and reads its answer. One thread: the machine's other core is
//! left to what is measured.

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// What one run of `wrk` measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) requests_per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) failed: u64,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:>9.0} requests/s   p50 {:>7.3} ms   p99 {:>7.3} ms   failed {}",
            self.requests_per_s, self.p50_ms, self.p99_ms, self.failed
        )
    }
}

/// Sends requests to `url` over `connections` for `seconds`.
pub(crate) async fn run(
    url: &str,
    connections: u32,
    seconds: u32,
    headers: &[String],
) -> Result<Measured> {
    let mut command = Command::new("wrk");
    command.args(["--latency", "-t1", "-c", &connections.to_string()]);
    command.args(["-d", &format!("{seconds}s")]);
    for header in headers {
        command.args(["-H", header]);
    }
    let output = command.arg(url).output().await.context(
        "wrk cannot be run; it is the load generator of these benchmarks (Debian: `wrk`)",
    )?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("wrk failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    parse(&text).with_context(|| format!("wrk answered what is not understood:\n{text}"))
}

fn parse(text: &str) -> Option<Measured> {
    let after = |label: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(label))?;
        line.trim_start().strip_prefix(label)?.split_whitespace().next()
    };
    let failed = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("Non-2xx or 3xx responses:"))
        .map_or(Some(0), |count| count.trim().parse().ok())?;
    Some(Measured {
        requests_per_s: after("Requests/sec:")?.parse().ok()?,
        p50_ms: milliseconds(after("50%")?)?,
        p99_ms: milliseconds(after("99%")?)?,
        failed,
    })
}

/// `830.00us`, `1.25ms` or `1.02s` in milliseconds.
fn milliseconds(text: &str) -> Option<f64> {
    let (number, factor) = if let Some(number) = text.strip_suffix("us") {
        (number, 0.001)
    } else if let Some(number) = text.strip_suffix("ms") {
        (number, 1.0)
    } else {
        (text.strip_suffix('s')?, 1000.0)
    };
    Some(number.parse::<f64>().ok()? * factor)
}
