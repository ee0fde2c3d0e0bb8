//! `cargo xtask sqlmap [PLACE…]`: every place where something of a client's reaches a statement,
//! tried by sqlmap at level 3, on a ward freshly started. Fails when anything is found.
//! `--level NUMBER` asks for another level.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test program fails by panicking: the message is the finding"
)]

use std::process::ExitCode;

use ward_tests::sqlmap::{PLACES, sqlmap};
use ward_tests::{Options, Ward};

fn main() -> ExitCode {
    let (mut names, mut level) = (Vec::new(), 3);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--level" => {
                let number = arguments.next().and_then(|number| number.parse().ok());
                level = number.expect("--level NUMBER");
            }
            name if PLACES.iter().any(|place| place.name == name) => names.push(argument),
            other => {
                let known = PLACES.map(|place| place.name).join(", ");
                panic!("there is no {other:?}; there are {known} and --level");
            }
        }
    }
    // Filters in URLs are off by default, and are what such tools look for first.
    let arguments = ["--variable", "patient_filters=url"].map(str::to_owned).to_vec();
    let home = Ward::new_home();
    let ward = Ward::start(Options { arguments, ..Options::behind_a_proxy(home.path()) });
    let mut clean = true;
    for place in &PLACES {
        if !names.is_empty() && !names.iter().any(|name| name == place.name) {
            continue;
        }
        let tried = sqlmap(&ward, place, level);
        let tried = tried.expect("sqlmap, which the line above says cannot be had");
        if tried.is_clean {
            println!("ok   {}", place.name);
        } else {
            println!("{}\nFAIL {}", tried.report, place.name);
        }
        clean &= tried.is_clean;
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
