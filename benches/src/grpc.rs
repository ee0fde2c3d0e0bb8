//! Unary calls over gRPC: `ward up` with a component behind its gRPC trigger, against a native
//! tonic server that does the same work. Both are processes of their own and are asked by the same
//! client, in turn, several times over. The client has the same two cores, so beside calls per
//! second, which it slows down alike, there is the processor time each server took for a call.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

use crate::grpc_native::{BillingRequest, BillingResponse, PATH};
use crate::tools;

const CONNECTIONS: usize = 8;
const CALLS_AT_ONCE: usize = 8;
const SECONDS: u64 = 5;
const ROUNDS: usize = 5;
/// Calls in a row for the time of one.
const SINGLE_CALLS: u32 = 2_000;

/// The units in which the kernel counts processor time, a second: fixed for user space on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server under measurement.
struct Rival {
    name: &'static str,
    child: Child,
    channels: Vec<Channel>,
}

/// What was measured of one.
struct Measured {
    calls_per_s: f64,
    cpu_us: f64,
    single_us: f64,
}

pub(crate) async fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut native = Rival::start("native tonic", native()?, "native").await?;
    let mut ward = Rival::start("ward", ward(directory.path())?, "grpc").await?;
    let mut ratios = Vec::new();
    for round in 0..=ROUNDS {
        let (native, ward) = (native.measure().await?, ward.measure().await?);
        // The first round warms up pools and caches on both sides.
        if round > 0 {
            println!("native tonic {native}");
            println!("ward         {ward}");
            ratios.push((
                ward.calls_per_s / native.calls_per_s,
                ward.cpu_us / native.cpu_us,
                ward.single_us / native.single_us,
            ));
        }
    }
    let median = |of: fn(&(f64, f64, f64)) -> f64| {
        let mut values: Vec<f64> = ratios.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    println!(
        "ward / native tonic, median of {ROUNDS}: calls/s {:.2}, processor time {:.2}, \
         one call {:.2}",
        median(|ratio| ratio.0),
        median(|ratio| ratio.1),
        median(|ratio| ratio.2)
    );
    native.child.kill().await?;
    ward.child.kill().await?;
    Ok(())
}

/// This program again, as a server.
fn native() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(crate::grpc_native::ARGUMENT);
    Ok(command)
}

fn ward(directory: &Path) -> Result<Command> {
    let source = tools::guest("clerk")?.display().to_string();
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"clerk\"\n\
         [application.trigger.grpc]\ncaller = \"pms:common/types.caller\"\n\
         [[trigger.grpc]]\ncomponent = \"clerk\"\npublic = true\n\
         interface = \"pms:billing/billing-service@1.0.0\"\npackage = \"\"\n\
         [component.clerk]\nsource = {source:?}\n"
    );
    let manifest = directory.join("spin.toml");
    std::fs::write(&manifest, text)?;
    let mut command = Command::new(tools::ward()?);
    command.arg("up").arg("--from").arg(&manifest).args(["--listen", "127.0.0.1:0"]);
    command.arg("--state-dir").arg(directory.join("state")).env("WARD_LOG", "warn");
    Ok(command)
}

impl Rival {
    /// Starts a server that prints a line with `word` and its address.
    async fn start(name: &'static str, mut command: Command, word: &str) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{name} did not start"))?;
        let stdout = child.stdout.take().context("a pipe")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = loop {
            let line = lines.next_line().await?.with_context(|| format!("{name} ended"))?;
            let mut words = line.split_whitespace();
            if words.next() == Some(word) {
                break words.next().context("an address")?.to_owned();
            }
        };
        // What it goes on to print must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels.push(Channel::from_shared(address.clone())?.connect().await?);
        }
        Ok(Self { name, child, channels })
    }

    async fn measure(&mut self) -> Result<Measured> {
        let channel = self.channels.first().context("a connection")?.clone();
        let began = Instant::now();
        for _ in 0..SINGLE_CALLS {
            call(&channel).await?;
        }
        let single_us = began.elapsed().as_secs_f64() * 1e6 / f64::from(SINGLE_CALLS);

        let calls = Arc::new(AtomicU64::new(0));
        let (began, cpu) = (Instant::now(), self.cpu_s()?);
        let until = began + Duration::from_secs(SECONDS);
        let mut tasks = tokio::task::JoinSet::new();
        for channel in &self.channels {
            for _ in 0..CALLS_AT_ONCE {
                let (channel, calls) = (channel.clone(), calls.clone());
                tasks.spawn(async move {
                    while Instant::now() < until {
                        call(&channel).await?;
                        calls.fetch_add(1, Relaxed);
                    }
                    anyhow::Ok(())
                });
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended?.with_context(|| format!("a call to {} failed", self.name))?;
        }
        let calls = calls.load(Relaxed) as f64;
        let calls_per_s = calls / began.elapsed().as_secs_f64();
        Ok(Measured { calls_per_s, cpu_us: (self.cpu_s()? - cpu) * 1e6 / calls, single_us })
    }

    /// Seconds of processor time that the server has had, from the kernel.
    fn cpu_s(&self) -> Result<f64> {
        let pid = self.child.id().context("the server has ended")?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in parentheses, may hold anything; what follows is numbers.
        let (_, fields) = stat.rsplit_once(')').context("no such line")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> {
            Ok(fields.get(index).context("too few fields")?.parse()?)
        };
        Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
    }
}

async fn call(channel: &Channel) -> Result<()> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await?;
    let request = BillingRequest {
        patient_id: "123e4567-e89b-12d3-a456-426614174000".to_owned(),
        name: "Ada Example".to_owned(),
        email: "ada@example.com".to_owned(),
    };
    let path = PATH.parse()?;
    let codec = ProstCodec::<BillingRequest, BillingResponse>::default();
    let answer = grpc.unary(tonic::Request::new(request), path, codec).await?.into_inner();
    ensure!(answer.status == "ACTIVE", "the account is {}", answer.status);
    Ok(())
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { calls_per_s, cpu_us, single_us } = self;
        write!(f, "{calls_per_s:>8.0} calls/s, {cpu_us:>5.1} us of processor time a call, ")?;
        write!(f, "one call in {single_us:>5.1} us")
    }
}
