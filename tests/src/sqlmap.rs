//! sqlmap against a running ward: every filter, cursor, path and body that reaches a database,
//! tried with what injects SQL elsewhere. What is sent goes to loopback.

use std::path::Path;
use std::process::Command;

use crate::fuzz_api::token;
use crate::{Ward, tools};

/// The version that findings are stated for.
const PACKAGE: &str = "sqlmap==1.10.10";
/// The longest that one place is tried, in seconds.
const SECONDS_MAX: u32 = 900;
/// What it says where nothing was found.
const NOTHING: &str = "all tested parameters do not appear to be injectable";
/// The statuses of refusals, which are what most of it should get. Where a token has to be good,
/// 401 is none of them: nothing would be tried behind it.
const REFUSALS: &str = "400,404,409,412,415,422,428,429";

/// A place where something of a client's reaches a statement: `*` marks it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its name on the command line.
    pub name: &'static str,
    method: &'static str,
    path: &'static str,
    body: Option<&'static str>,
}

const fn query(name: &'static str, path: &'static str) -> Place {
    Place { name, method: "GET", path, body: None }
}

const fn body(name: &'static str, path: &'static str, body: &'static str) -> Place {
    Place { name, method: "POST", path, body: Some(body) }
}

impl Place {
    /// Whether no token is needed there.
    fn is_open(&self) -> bool {
        ["/auth/login", "/auth/refresh"].contains(&self.path)
    }
}

/// All of them.
pub const PLACES: [Place; 16] = [
    query("filters", "/api/patients?name=Ada*&email=ada@example.com*&dateOfBirthFrom=1985-01-01*"),
    query("order", "/api/patients?sort=name*&limit=5*"),
    query("cursor", "/api/patients?limit=5&after=AAAA*"),
    query("patient", "/api/patients/123e4567-e89b-12d3-a456-426614174000*"),
    query("audit", "/api/audit/patients?user=123e4567-e89b-12d3-a456-426614174000*&action=READ*"),
    query("audit-time", "/api/audit/patients?from=2024-01-10T09:30:00Z*&outcome=SUCCESS*"),
    query("accounts", "/api/billing/accounts?limit=5*&after=AAAA*"),
    query("account", "/api/billing/patients/123e4567-e89b-12d3-a456-426614174000*/account"),
    query("events", "/api/analytics/events?sort=-occurredAt*&limit=5*&after=AAAA*"),
    query("activity", "/api/analytics/activity?patient=123e4567-e89b-12d3-a456-426614174000*"),
    query("timeline", "/api/analytics/timeline?from=2024-01-10T09:30:00Z*&bucket=hour*"),
    query("users", "/auth/users?email=ada*&role=ADMIN*&after=AAAA*"),
    body("search", "/api/patients/search", r#"{"name":"Ada*","email":"ada@example.com*"}"#),
    body(
        "create",
        "/api/patients",
        r#"{"name":"Ada*","email":"ada@a.example*","address":"A*","dateOfBirth":"1985-12-10*"}"#,
    ),
    body("login", "/auth/login", r#"{"email":"ada@example.com*","password":"four words*"}"#),
    body("refresh", "/auth/refresh", r#"{"refreshToken":"AAAA*"}"#),
];

/// What came of a place.
#[derive(Debug)]
pub struct Tried {
    /// Whether everything was tried and nothing found.
    pub is_clean: bool,
    /// What sqlmap says.
    pub report: String,
}

/// Tries one place at this level (1 to 5). Nothing where sqlmap cannot be had.
pub fn sqlmap(ward: &Ward, place: &Place, level: u8) -> Option<Tried> {
    let python = tools::python("sqlmap", &[PACKAGE])?;
    let reports = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("timeout");
    command.arg(SECONDS_MAX.to_string()).arg(python);
    command.args(["-m", "sqlmap", "--batch", "--disable-coloring", "--flush-session"]);
    command.args(["--dbms", "PostgreSQL", "--technique", "BEUSQ", "--threads", "2"]);
    let refusals = if place.is_open() { format!("{REFUSALS},401") } else { REFUSALS.to_owned() };
    command.args(["--level", &level.to_string(), "--risk", "2", "--ignore-code", &refusals]);
    // From another address each time, so that logins are looked at rather than made to wait.
    command.args(["--tamper", "xforwardedfor"]);
    command.args(["--method", place.method, "-u", &format!("{}{}", ward.gateway(), place.path)]);
    command.args(["--headers", &headers(ward, place)]);
    if let Some(body) = place.body {
        command.args(["--data", body]);
    }
    Some(run(&mut command, reports.path()))
}

fn run(command: &mut Command, reports: &Path) -> Tried {
    command.arg("--output-dir").arg(reports).current_dir(reports);
    let output = command.output().expect("a program that runs");
    let report = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    // It calls it a failure to have found nothing.
    Tried { is_clean: output.status.code() == Some(1) && report.contains(NOTHING), report }
}

fn headers(ward: &Ward, place: &Place) -> String {
    let role = if place.path.starts_with("/api/audit/") { "AUDITOR" } else { "ADMIN" };
    let token = token(ward, role);
    format!("Authorization: Bearer {token}\nContent-Type: application/json")
}
