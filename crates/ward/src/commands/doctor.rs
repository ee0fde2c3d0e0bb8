//! `ward doctor`: looks at everything `ward up` needs and says, for each thing that is not as it
//! should be, what to do. It changes nothing unless it is told to with `--fix`.

mod checks;
mod servers;
mod state;

use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::{Check, DoctorArgs, DoctorFormat, LogFormat, OutputArgs};
use crate::failure::Failure;
use crate::output;

/// What one look came to.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    check: String,
    /// How it is.
    status: Status,
    /// In words.
    message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warning,
    Error,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    findings: Vec<Finding>,
}

/// Looks, prints, and fails when something is wrong.
pub(crate) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    crate::logging::start(&OutputArgs { quiet: true, log_format: LogFormat::Plain })?;
    let wanted = match args.only.as_slice() {
        [] => Check::value_variants(),
        only => only,
    };
    let findings = super::runtime()?.block_on(checks::run(args, wanted));
    let ok = findings.iter().all(|finding| finding.status != Status::Error);
    let report = Report { ok, findings };
    output::print(&match args.format {
        DoctorFormat::Text => text(&report),
        DoctorFormat::Json => {
            serde_json::to_string_pretty(&report).map_err(Failure::because("writing JSON"))? + "\n"
        }
    })?;
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let mark = match finding.status {
            Status::Ok => "ok      ",
            Status::Warning => "warning ",
            Status::Error => "error   ",
        };
        text.push_str(&format!("{mark}{:<11} {}\n", finding.check, finding.message));
        if let Some(help) = &finding.help {
            text.push_str(&format!("{:20}help: {help}\n", ""));
        }
    }
    text.push_str(if report.ok {
        "Everything that ward needs is there.\n"
    } else {
        "Something is wrong; each help line says what to do.\n"
    });
    text
}
