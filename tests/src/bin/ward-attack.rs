//! `cargo xtask attack [NAME…]`: each attack on a ward freshly started, with a table of what others
//! saw of it. Fails when a row does. `--smaller NUMBER` divides how many of everything there are.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test program fails by panicking: the message is the finding"
)]

use std::process::ExitCode;

use ward_tests::attack::{ATTACKS, Scale, lock, raise_descriptors, timing, ward};

/// The attack that has no honest clients beside it.
const LOCK: &str = "lock";
/// And the one in which nobody is to be told by the clock who has an account.
const TIMING: &str = "timing";
/// Logins of users there are, and as many of names that nobody has.
const TIMED: usize = 2_000;

#[tokio::main]
async fn main() -> ExitCode {
    let (mut names, mut smaller) = (Vec::new(), 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--smaller" => {
                let number = arguments.next().and_then(|number| number.parse().ok());
                smaller = number.filter(|number| *number > 0).expect("--smaller NUMBER");
            }
            name if [LOCK, TIMING].contains(&name)
                || ATTACKS.iter().any(|attack| attack.name == name) =>
            {
                names.push(argument);
            }
            other => panic!("there is no {other:?}; there are: {}", known()),
        }
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    raise_descriptors();
    let mut right = true;
    let mut ward = ward();
    for attack in ATTACKS.iter().filter(|attack| wanted(attack.name)) {
        let row = attack.run(&ward, Scale { smaller, ..Scale::WHOLE }).await.with_log_of(&ward);
        println!("{row}");
        right &= row.is_right();
        // What one attack left behind is not held against the next.
        ward.kill();
        ward.start_again();
    }
    if wanted(LOCK) {
        let started = lock(&mut ward);
        println!("{:<4} {LOCK:<12} flock by another user", if started { "ok" } else { "FAIL" });
        right &= started;
    }
    if wanted(TIMING) {
        let timing = timing(&ward, TIMED / smaller / 2).await;
        println!("{timing}");
        right &= timing.is_right();
    }
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn known() -> String {
    let names = ATTACKS.iter().map(|attack| attack.name).chain([LOCK, TIMING]);
    names.collect::<Vec<_>>().join(", ")
}
