//! What a new instance costs: store, state and instantiation of the hello guest, and its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use ward_manifest::{App, RuntimeConfig, Variables};
use ward_runtime::{Host, HostOptions};

use crate::tools;

const INSTANCES: u32 = 20_000;

pub(crate) async fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let manifest = tools::hello_manifest(directory.path())?;
    let app = App::load(&manifest)?;
    let none = BTreeMap::new();
    let config = RuntimeConfig::default();
    let variables = Arc::new(Variables::new(&app, none.clone(), &config, &none)?);
    let options =
        HostOptions { state_dir: directory.path().join("state"), ..HostOptions::default() };
    let load = || Host::open(Arc::new(app), variables, options)?.load();
    let release = Arc::new(tokio::task::block_in_place(load)?);
    let handler = release.http("hello").context("the trigger was not loaded")?;

    for _ in 0..INSTANCES / 10 {
        handler.instantiate().await?;
    }
    let start = Instant::now();
    for _ in 0..INSTANCES {
        handler.instantiate().await?;
    }
    let each_us = start.elapsed().as_secs_f64() * 1e6 / f64::from(INSTANCES);
    println!("store + instantiate + drop: {each_us:.1} us each, {INSTANCES} in a row");
    Ok(())
}
