//! What a call from one component to another costs: over a live link, to an instance that is warm
//! and to one that is made for the call; into a composed dependency; and, for comparison, a
//! function of the component's own and one of the host's. The guest makes the calls in a row, so
//! that each figure is one call and nothing else.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ward_manifest::{App, RuntimeConfig, Variables};
use ward_runtime::{CallContext, Function, Host, HostOptions, Release};
use ward_wire::Value;

use crate::tools;

const WORK: &str = "test:links/work@1.0.0";
const CALLS: u32 = 20_000;
const COLD_CALLS: u32 = 5_000;
const ROUNDS: usize = 5;

/// Warm calls are of the kind `repeat` makes (a number), and of the kind `repeat-enrol` makes: a
/// record of seven texts there, one of two back.
const KINDS: [(&str, &str); 2] = [("a number", "repeat"), ("nine texts", "repeat-enrol")];

pub(crate) async fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let linked = load(directory.path(), "linked", &guest("callee")?, "")?;
    let cold = load(directory.path(), "cold", &guest("callee")?, "max_instance_reuse_count = 1")?;
    let copy = directory.path().join("copy.wasm");
    std::fs::copy(tools::guest("callee")?, &copy)?;
    let composed = load(directory.path(), "composed", &copy.display().to_string(), "")?;

    for (kind, function) in KINDS {
        let composed_us = each_us(&composed, "relay", function, CALLS).await?;
        println!("{kind}:");
        println!("  composed                {composed_us:>8.2} us");
        let warm_us = each_us(&linked, "relay", function, CALLS).await?;
        println!("  linked, warm            {warm_us:>8.2} us  {}", above(warm_us, composed_us));
        let cold_us = each_us(&cold, "relay", function, COLD_CALLS).await?;
        println!("  linked, a new instance  {cold_us:>8.2} us  {}", above(cold_us, composed_us));
    }
    let own_us = each_us(&linked, "callee", "repeat", CALLS).await?;
    println!("a function of the component's own: {own_us:.4} us");
    println!("a native function: {:.4} us", native_us());
    let call_us = from_outside_us(&linked).await?;
    println!("a call from a trigger, warm: {call_us:.2} us");
    Ok(())
}

fn above(us: f64, base_us: f64) -> String {
    format!("{:+.2} us to the composed call", us - base_us)
}

fn guest(name: &str) -> Result<String> {
    Ok(tools::guest(name)?.display().to_string())
}

/// `caller` → `relay` → the file `target`, a component of the application where it is the guest
/// itself and composed otherwise.
fn load(directory: &Path, name: &str, target: &str, settings: &str) -> Result<Arc<Release>> {
    let (caller, relay, callee) = (guest("caller")?, guest("relay")?, guest("callee")?);
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"link\"\n\
         [[trigger.http]]\nid = \"main\"\nroute = \"/...\"\ncomponent = \"caller\"\n\
         [component.caller]\nsource = {caller:?}\n\
         [component.caller.dependencies]\n\
         \"test:links/work\" = {{ path = {relay:?} }}\n\
         \"test:links/shapes\" = {{ path = {callee:?} }}\n\
         [component.relay]\nsource = {relay:?}\ntool.ward.deadline = \"60s\"\n\
         dependencies = {{ \"test:links/work\" = {{ path = {target:?} }} }}\n\
         [component.callee]\nsource = {callee:?}\ntool.ward = {{ {settings} }}\n"
    );
    let root = directory.join(name);
    std::fs::create_dir_all(&root)?;
    let manifest = root.join("spin.toml");
    std::fs::write(&manifest, text)?;
    let app = App::load(&manifest)?;
    let none = BTreeMap::new();
    let config = RuntimeConfig::default();
    let variables = Arc::new(Variables::new(&app, none.clone(), &config, &none)?);
    let options = HostOptions { state_dir: directory.join("state"), ..Default::default() };
    let load = || Host::open(Arc::new(app), variables, options)?.load();
    Ok(Arc::new(tokio::task::block_in_place(load)?))
}

fn find(release: &Arc<Release>, component: &str, function: &str) -> Result<Function> {
    release.function(component, WORK, function).context("the function was not loaded")
}

/// The best of some rounds: what disturbs one only makes it longer.
async fn each_us(
    release: &Arc<Release>,
    component: &str,
    function: &str,
    calls: u32,
) -> Result<f64> {
    let function = find(release, component, function)?;
    let mut best_us = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let answer = function.call(vec![Value::U32(calls)], &CallContext::default()).await?;
        let took_us = start.elapsed().as_secs_f64() * 1e6;
        ensure!(answer == Some(Value::U32(calls)), "not every call was answered: {answer:?}");
        best_us = best_us.min(took_us / f64::from(calls));
    }
    Ok(best_us)
}

fn native_us() -> f64 {
    let start = Instant::now();
    let mut sum = 0_u32;
    for _ in 0..CALLS {
        sum = sum.wrapping_add(answer(black_box(1)));
    }
    black_box(sum);
    start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
}

#[inline(never)]
fn answer(number: u32) -> u32 {
    black_box(number)
}

/// As a trigger other than HTTP makes it.
async fn from_outside_us(release: &Arc<Release>) -> Result<f64> {
    let function = find(release, "callee", "perform-plain")?;
    let start = Instant::now();
    for _ in 0..CALLS {
        let task = Value::Variant(0, None);
        function.call(vec![task], &CallContext::default()).await?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS))
}
