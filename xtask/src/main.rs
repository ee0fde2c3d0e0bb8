//! `cargo xtask`: the commands of this repository, and the only place for them. Each is a file
//! here and a line in `COMMANDS`. It has no dependencies, so that the first thing a fresh clone
//! compiles is this and nothing else.

mod attack;
mod bench;
mod cargo_tool;
mod chaos;
mod dependencies;
mod docs;
mod fuzz_api;
mod outsiders;
mod run;
mod same;
mod sqlmap;
mod summary;
mod test;
mod toolchain;
mod up;

use std::process::ExitCode;

/// A command: its name, what it does, and the function that does it with the arguments left.
type Command = (&'static str, &'static str, fn(&[String]) -> Result<(), String>);

const COMMANDS: [Command; 11] = [
    ("up", "build everything and serve it with demo data; arguments go to `ward up`", up::up),
    ("test", "lint, build and test everything; arguments go to `cargo test`", test::test),
    (
        "chaos",
        "under load: `chaos events` kills everything in turn, `chaos swap` replaces it, and count",
        chaos::chaos,
    ),
    (
        "attack",
        "do what strangers could do, and see what others see; arguments name attacks",
        attack::attack,
    ),
    (
        "fuzz-api",
        "try the APIs with requests made up from their documents; arguments name services",
        fuzz_api::fuzz_api,
    ),
    ("sqlmap", "look for a way to have clients' SQL run; arguments name places", sqlmap::sqlmap),
    ("docs", "write the API's documents, docs/api", docs::docs),
    ("audit", "look for known faults in what others wrote", dependencies::audit),
    ("sbom", "list what is built in, as CycloneDX, into target/sbom", dependencies::sbom),
    ("same", "build the components twice, and compare them byte for byte", same::same),
    ("bench", "measure; arguments name benchmarks, all by default", bench::bench),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else { return usage("which command?") };
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some((_, _, command)) = COMMANDS.iter().find(|(known, ..)| known == name) else {
        return usage(&format!("there is no command {name:?}"));
    };
    match command(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let lines = COMMANDS.iter().map(|(name, what, _)| format!("  cargo xtask {name:<8} {what}\n"));
    std::iter::once("Commands:\n".to_owned()).chain(lines).collect()
}

fn usage(problem: &str) -> ExitCode {
    eprint!("error: {problem}\n{}", help());
    ExitCode::from(2)
}
