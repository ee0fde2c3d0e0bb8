//! `cargo xtask fuzz-api [SERVICE…]`: every service's API tried with at least 10,000 requests made
//! up from its document, on a ward freshly started. Fails when anything is found. `--seed NUMBER`
//! repeats a run, `--examples NUMBER` says how many there are of each operation.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test program fails by panicking: the message is the finding"
)]

use std::process::ExitCode;

use ward_tests::fuzz_api::{SERVICES, fuzz};
use ward_tests::{Options, Ward};

#[tokio::main]
async fn main() -> ExitCode {
    let (mut names, mut seed, mut examples) = (Vec::new(), 1, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|number| number.parse().ok());
        match argument.as_str() {
            "--seed" => seed = number().expect("--seed NUMBER"),
            "--examples" => {
                examples = number().and_then(|number| u32::try_from(number).ok());
                assert!(examples.is_some(), "--examples NUMBER");
            }
            name if SERVICES.iter().any(|(known, _)| *known == name) => names.push(argument),
            other => panic!("there is no {other:?}; there are {SERVICES:?}"),
        }
    }
    let ward = tokio::task::spawn_blocking(|| Ward::start(Options::demo())).await.expect("a ward");
    let mut clean = true;
    for (service, usual) in SERVICES {
        if !names.is_empty() && !names.iter().any(|name| name == service) {
            continue;
        }
        let token = ward.user().await.token().to_owned();
        let fuzzed = fuzz(&ward, &token, service, examples.unwrap_or(usual), seed);
        if !fuzzed.is_clean {
            println!("{}", fuzzed.report);
        }
        let outcome = if fuzzed.is_clean { "ok" } else { "FAIL" };
        println!("{outcome:<4} {service:<10} {:>6} requests made up", fuzzed.cases);
        clean &= fuzzed.is_clean;
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
