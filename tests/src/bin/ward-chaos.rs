//! `cargo xtask chaos`: many rounds of it, with what came of it printed at the end.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test program fails by panicking: the message is the finding"
)]

use std::process::ExitCode;
use std::time::Duration;

use ward_tests::chaos::Chaos;
use ward_tests::swap::Swapping;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let is_good = match arguments.next().as_deref() {
        Some("events") => events(arguments).await,
        Some("swap") => swap(arguments).await,
        other => panic!("which chaos? {other:?}; there are events and swap"),
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn events(mut arguments: impl Iterator<Item = String>) -> bool {
    let mut chaos = Chaos { rounds: 20, rate: 200, clients: 4, kafka: false };
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().and_then(|value| value.parse().ok());
        match name.as_str() {
            "--kafka" => chaos.kafka = true,
            "--rounds" => chaos.rounds = value().expect("--rounds NUMBER"),
            "--rate" => chaos.rate = value().expect("--rate CHANGES-PER-SECOND"),
            other => panic!("unknown argument {other:?}; there are --rounds, --rate and --kafka"),
        }
    }
    let ledger = chaos.run().await;
    print!("{ledger}");
    ledger.is_balanced()
}

async fn swap(mut arguments: impl Iterator<Item = String>) -> bool {
    let mut swapping = Swapping {
        swaps: 100,
        readers: 16,
        rate: 50,
        peace: Duration::from_secs(30),
        pause: Duration::from_millis(300),
    };
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().and_then(|value| value.parse().ok());
        match name.as_str() {
            "--swaps" => swapping.swaps = value().expect("--swaps NUMBER"),
            "--readers" => swapping.readers = value().expect("--readers NUMBER"),
            "--rate" => swapping.rate = value().expect("--rate CHANGES-PER-SECOND"),
            other => panic!("unknown argument {other:?}; there are --swaps, --readers and --rate"),
        }
    }
    let report = swapping.run().await;
    print!("{report}");
    println!("{}", if report.costs_little() { "it cost little" } else { "it cost too much" });
    report.is_good() && report.costs_little()
}
