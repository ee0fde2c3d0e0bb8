//! `cargo xtask fuzz-api [SERVICE…]`: every service's API tried with at least 10,000 requests made
//! up from its document, on a ward freshly started. Fails when anything is found. `--cases NUMBER`
//! says how many, `--seed NUMBER` repeats a run.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test program fails by panicking: the message is the finding"
)]

use std::process::ExitCode;

use ward_tests::fuzz_api::{SERVICES, fuzz};
use ward_tests::{Options, Ward};

/// Requests for each operation in a pass, which is over before its token is.
const EXAMPLES: u32 = 500;
/// Most passes: a service with one small operation has few requests in each.
const PASSES_MAX: u64 = 50;

#[tokio::main]
async fn main() -> ExitCode {
    let (mut names, mut seed, mut cases) = (Vec::new(), 1, 10_000);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|number| number.parse().ok());
        match argument.as_str() {
            "--seed" => seed = number().expect("--seed NUMBER"),
            "--cases" => cases = number().expect("--cases NUMBER"),
            name if SERVICES.contains(&name) => names.push(argument),
            other => panic!("there is no {other:?}; there are {SERVICES:?}, --seed and --cases"),
        }
    }
    let ward = tokio::task::spawn_blocking(|| Ward::start(Options::demo())).await.expect("a ward");
    let wanted = |service: &&str| names.is_empty() || names.iter().any(|name| name == *service);
    let mut clean = true;
    for service in SERVICES.into_iter().filter(wanted) {
        clean &= tried(&ward, service, cases, seed);
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tries a service in passes until there were so many requests; whether nothing was found.
fn tried(ward: &Ward, service: &str, wanted: u64, seed: u64) -> bool {
    let mut cases = 0;
    for pass in 0..PASSES_MAX {
        let fuzzed = fuzz(ward, service, EXAMPLES, seed + pass);
        let fuzzed = fuzzed.expect("Schemathesis, which the line above says cannot be had");
        cases += fuzzed.cases;
        if !fuzzed.is_clean {
            println!("{}\nFAIL {service:<10} with --seed {}", fuzzed.report, seed + pass);
            return false;
        }
        if cases >= wanted {
            break;
        }
    }
    let outcome = if cases >= wanted { "ok" } else { "FAIL, too few:" };
    println!("{outcome:<4} {service:<10} {cases:>6} requests");
    cases >= wanted
}
