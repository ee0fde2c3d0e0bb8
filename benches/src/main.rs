//! The benchmarks behind every figure the project states: `cargo xtask bench [NAME…]`.
//! Each prints ratios against a named rival, or figures against a stated bound, measured in the
//! same run on the same machine. Nothing here is a test: it judges nothing and fails only when it
//! cannot measure.

mod analytics;
mod events;
mod grpc;
mod grpc_native;
mod hello;
mod instantiate;
mod link;
mod patients;
mod start;
mod tools;
mod ward;
mod wire;
mod wrk;

use anyhow::{Result, bail};
use events::Through;

const NAMES: [&str; 10] = [
    "instantiate",
    "link",
    "wire",
    "grpc",
    "hello",
    "start",
    "patients",
    "analytics",
    "events",
    "events-kafka",
];

#[tokio::main]
async fn main() -> Result<()> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names == [grpc_native::ARGUMENT] {
        return grpc_native::serve().await;
    }
    if names.is_empty() {
        names = NAMES.map(str::to_owned).to_vec();
    }
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("no benchmark is called `{unknown}`; there are {}", NAMES.join(", "));
    }
    for name in &names {
        println!("== {name}");
        match name.as_str() {
            "instantiate" => instantiate::run().await?,
            "link" => link::run().await?,
            "grpc" => grpc::run().await?,
            "hello" => hello::run().await?,
            "start" => start::run().await?,
            "wire" => wire::run()?,
            "analytics" => analytics::run().await?,
            "events" => events::run(Through::Postgres).await?,
            "events-kafka" => events::run(Through::Kafka).await?,
            _ => patients::run().await?,
        }
    }
    Ok(())
}
