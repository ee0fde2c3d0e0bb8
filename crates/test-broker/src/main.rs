//! Builds the broker if it is not there, so that no test has to wait for it: `cargo xtask test` and
//! `cargo xtask chaos` run this first.

use std::process::ExitCode;

fn main() -> ExitCode {
    match test_broker::install(&|line| eprintln!("{line}")) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
