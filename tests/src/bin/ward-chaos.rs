//! `cargo xtask chaos events`: many rounds of it, with the ledger printed at the end.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test program fails by panicking: the message is the finding"
)]

use std::process::ExitCode;

use ward_tests::chaos::Chaos;

#[tokio::main]
async fn main() -> ExitCode {
    let mut chaos = Chaos { rounds: 20, rate: 200, clients: 4, kafka: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().and_then(|value| value.parse().ok());
        match name.as_str() {
            "events" => {}
            "--kafka" => chaos.kafka = true,
            "--rounds" => chaos.rounds = value().expect("--rounds NUMBER"),
            "--rate" => chaos.rate = value().expect("--rate CHANGES-PER-SECOND"),
            other => panic!("unknown argument {other:?}; there are --rounds, --rate and --kafka"),
        }
    }
    let ledger = chaos.run().await;
    print!("{ledger}");
    match ledger.is_balanced() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
