//! A guest that answers `hello`, through `wasmtime serve` and through Ward, at 32 connections.
//! The two are measured in turn, several times over, so that a machine that slows down slows both.

use anyhow::Result;
use tokio::process::Command;

use crate::tools;
use crate::ward::Server;
use crate::wrk::{self, Measured};

const CONNECTIONS: u32 = 32;
const SECONDS: u32 = 5;
const ROUNDS: usize = 5;

pub(crate) async fn run() -> Result<()> {
    let guest = tools::guest("hello")?;
    let directory = tempfile::tempdir()?;
    let manifest = tools::hello_manifest(directory.path())?;

    let (ward_port, rival_port) = (tools::free_port()?, tools::free_port()?);
    let mut command = Command::new(tools::ward()?);
    command.arg("up").arg("--from").arg(&manifest).args(["--log-format", "plain"]);
    command.arg("--state-dir").arg(directory.path().join("state"));
    command.args(["--listen", &format!("127.0.0.1:{ward_port}")]).env("WARD_LOG", "warn");
    let ward_url = format!("http://127.0.0.1:{ward_port}/");
    let ward = Server::start(command, &ward_url).await?;

    let mut command = Command::new(tools::wasmtime().await?);
    command.args(["serve", "-Scli", "-Wcomponent-model-async", "-Sp3", "--addr"]);
    command.arg(format!("127.0.0.1:{rival_port}")).arg(&guest);
    let rival_url = format!("http://127.0.0.1:{rival_port}/");
    let rival = Server::start(command, &rival_url).await?;

    let mut pairs = Vec::new();
    for _ in 0..ROUNDS {
        let rival = wrk::run(&rival_url, CONNECTIONS, SECONDS, &[]).await?;
        println!("wasmtime serve {rival}");
        let ward = wrk::run(&ward_url, CONNECTIONS, SECONDS, &[]).await?;
        println!("ward           {ward}");
        pairs.push((ward, rival));
    }
    println!("ward resident after load: {:.1} MiB", ward.resident_mib()?);
    summary(&pairs);
    ward.stop().await?;
    rival.stop().await
}

fn summary(pairs: &[(Measured, Measured)]) {
    let ratio = |of: fn(&Measured) -> f64| {
        let mut ratios: Vec<f64> = pairs.iter().map(|(a, b)| of(a) / of(b)).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
    };
    println!(
        "ward / wasmtime serve, median of {}: requests/s {:.3}, p99 {:.3}",
        pairs.len(),
        ratio(|m| m.requests_per_s),
        ratio(|m| m.p99_ms)
    );
}
