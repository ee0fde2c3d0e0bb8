//! Schemathesis against a running ward: thousands of requests that a service's own OpenAPI document
//! says are right or wrong, each answer held to what the document says of it. What is sent goes to
//! loopback, and how much of it is bounded.

use std::process::Command;

use crate::{Repository, Ward, claims_of, tools};

/// The version that findings are stated for.
const PACKAGE: &str = "schemathesis==4.32.5";
/// The longest that a pass lasts, in seconds; a token lasts for longer.
const SECONDS_MAX: u32 = 780;
/// What is left out. Streams of events do not end, which a tool that waits for answers cannot know;
/// a logout ends whoever asks, and wrong old passwords make a right one wait.
const LEFT_OUT: [&str; 3] = ["/api/analytics/stream", "/auth/logout", "/auth/me/password"];
/// The demo user, whom the token is about.
const USER: &str = "223e4567-e89b-12d3-a456-426614174006";

/// The services, by the names of their documents.
pub const SERVICES: [&str; 4] = ["patients", "auth", "billing", "analytics"];

/// What came of a pass.
#[derive(Debug)]
pub struct Fuzzed {
    /// Whether nothing was found.
    pub is_clean: bool,
    /// How many requests were made up.
    pub cases: u64,
    /// What Schemathesis says.
    pub report: String,
}

/// Tries a service with so many requests for each operation, from this seed.
/// Nothing where Schemathesis cannot be had.
pub fn fuzz(ward: &Ward, service: &str, examples: u32, seed: u64) -> Option<Fuzzed> {
    let python = tools::python("fuzz-api", &[PACKAGE])?;
    let here = Repository::here().root().join("tests/src/fuzz_api");
    let reports = tempfile::tempdir().expect("a directory");
    let report = reports.path().join("report.json");
    let mut command = Command::new(python);
    command.args(["-m", "schemathesis.cli", "--config-file"]);
    command.arg(here.join("schemathesis.toml")).arg("run");
    command.arg(format!("{}/api-docs/{service}", ward.gateway()));
    command.arg("--header").arg(format!("Authorization: Bearer {}", token(ward, "ADMIN")));
    command.args(["--checks", "all", "--no-color"]);
    command.args(LEFT_OUT.iter().flat_map(|path| ["--exclude-path", path]));
    command.args(["--max-examples", &examples.to_string(), "--seed", &seed.to_string()]);
    command.args(["--request-timeout", "20", "--continue-on-failure"]);
    command.args(["--suppress-health-check", "all", "--warnings", "off"]);
    command.args(["--report", "json", "--report-json-path"]).arg(&report);
    command.env("SCHEMATHESIS_HOOKS", here.join("hooks.py")).current_dir(reports.path());
    command.env("WARD_AUDITOR_TOKEN", token(ward, "AUDITOR"));
    let output = limited(&mut command);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Some(Fuzzed { is_clean: output.status.success(), cases: cases(&text), report: text })
}

/// A token of the demo user in this role. ADMIN may all that is tried but read audit logs, which is
/// an AUDITOR's to do; what is refused for want of a scope is other tests' to try.
pub(crate) fn token(ward: &Ward, role: &str) -> String {
    let mut own = claims_of(role);
    own["sub"] = USER.into();
    ward.forge().sign(&own)
}

/// The program's output; ended when it takes too long.
fn limited(command: &mut Command) -> std::process::Output {
    let mut outer = Command::new("timeout");
    outer.arg(SECONDS_MAX.to_string()).arg(command.get_program()).args(command.get_args());
    outer.current_dir(command.get_current_dir().expect("a directory"));
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.output().expect("a program that runs")
}

/// The number before `generated` in the summary.
fn cases(text: &str) -> u64 {
    let line = text.lines().rev().find(|line| line.contains(" generated"));
    let number = line.and_then(|line| line.split_whitespace().find_map(|word| word.parse().ok()));
    number.unwrap_or(0)
}
