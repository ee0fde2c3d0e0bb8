//! The looks themselves, one function each. A check that cannot be made because the manifest or the
//! variables cannot be read is left out: the manifest's own finding says why.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::ValueEnum;
use ward_manifest::{App, RuntimeConfig};
use ward_runtime::refused_files;

use super::{Finding, Status, servers, state};
use crate::application::{Application, runtime_config_file};
use crate::cli::{Check, DoctorArgs};
use crate::failure::Failure;
use crate::{grpc, ports, provision};

/// The target that components are built for.
const TARGET: &str = "wasm32-wasip2";

/// Makes the wanted checks in the order of their definition.
pub(super) async fn run(args: &DoctorArgs, wanted: &[Check]) -> Vec<Finding> {
    let app = App::load(&args.from.from);
    let mut findings = Vec::new();
    for check in wanted {
        let found = match (check, &app) {
            (Check::Manifest, app) => manifest(args, app.as_ref()),
            (Check::Toolchain, app) => toolchain(app.as_ref().ok()),
            (Check::Target, _) => vec![target(args.fix)],
            (Check::Memory, _) => vec![memory()],
            (Check::Postgresql, app) => servers::postgresql(args, app.is_ok()).await,
            (Check::Components, Ok(app)) => components(app),
            // Its address comes out of the same variables.
            (Check::Broker, Ok(_)) if is_wrong(&findings, Check::Manifest) => Vec::new(),
            (Check::Broker, Ok(app)) => servers::broker(args, app).await,
            (Check::Ports, Ok(app)) => free_ports(app),
            (Check::State, Ok(app)) => state::check(args, app),
            (Check::Components | Check::Broker | Check::Ports | Check::State, Err(_)) => Vec::new(),
        };
        findings.extend(found.into_iter().map(|finding| finding.of(*check)));
    }
    findings
}

/// Whether a check has found something that a start would not get over.
fn is_wrong(findings: &[Finding], check: Check) -> bool {
    let named = Finding::ok("").of(check).check;
    findings.iter().any(|finding| finding.check == named && finding.status == Status::Error)
}

impl Finding {
    pub(super) fn new(status: Status, message: impl Into<String>, help: Option<String>) -> Self {
        Self { check: String::new(), status, message: message.into(), help }
    }

    pub(super) fn ok(message: impl Into<String>) -> Self {
        Self::new(Status::Ok, message, None)
    }

    pub(super) fn error(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Status::Error, message, Some(help.into()))
    }

    fn of(mut self, check: Check) -> Self {
        if let Some(value) = check.to_possible_value() {
            value.get_name().clone_into(&mut self.check);
        }
        self
    }
}

impl From<Failure> for Finding {
    fn from(failure: Failure) -> Self {
        let help = failure.advice().map(str::to_owned);
        Self::new(Status::Error, failure.messages().join("; "), help)
    }
}

fn manifest(args: &DoctorArgs, app: Result<&App, &ward_manifest::Findings>) -> Vec<Finding> {
    let mut findings = match app {
        Ok(app) => {
            let names: Vec<_> = app.components.keys().map(String::as_str).collect();
            let text =
                format!("{}: {} with {}", args.from.from.display(), app.name, names.join(", "));
            let warnings = app
                .warnings
                .iter()
                .map(|warning| Finding::new(Status::Warning, warning.to_string(), None));
            std::iter::once(Finding::ok(text)).chain(warnings).collect()
        }
        Err(findings) => problems(findings),
    };
    let runtime_config = app.ok().and_then(|app| runtime_config_file(app, &args.config));
    if let Some(path) = runtime_config.or_else(|| args.config.runtime_config_file.clone()) {
        findings.extend(match RuntimeConfig::load(&path) {
            Ok(_) => vec![Finding::ok(path.display().to_string())],
            Err(found) => problems(&found),
        });
    }
    if app.is_ok() && findings.iter().all(|finding| finding.status != Status::Error) {
        findings.extend(variables(args));
    }
    findings
}

/// What a start would say of the variables.
fn variables(args: &DoctorArgs) -> Vec<Finding> {
    let application = Application::load(&args.from, &args.config);
    match application.and_then(|application| provision::early(&application)) {
        Ok(variables) => variables.warnings().iter().map(odd).collect(),
        Err(failure) => vec![failure.into()],
    }
}

fn odd(warning: &ward_manifest::Finding) -> Finding {
    let bare = ward_manifest::Finding { help: None, ..warning.clone() };
    Finding::new(Status::Warning, bare.to_string(), warning.help.clone())
}

fn problems(findings: &ward_manifest::Findings) -> Vec<Finding> {
    let one = |finding: &ward_manifest::Finding| {
        let bare = ward_manifest::Finding { help: None, ..finding.clone() };
        Finding::new(Status::Error, bare.to_string(), finding.help.clone())
    };
    findings.0.iter().map(one).collect()
}

fn toolchain(app: Option<&App>) -> Vec<Finding> {
    let uses_cargo = app.is_none_or(|app| {
        let builds = app.components.values().filter_map(|component| component.build.as_ref());
        builds.flat_map(|build| &build.commands).any(|command| command.contains("cargo"))
    });
    if !uses_cargo {
        return Vec::new();
    }
    vec![match said_by("cargo", &["--version"]) {
        Some(version) => Finding::ok(version),
        None => Finding::error("there is no cargo here", "install Rust from https://rustup.rs"),
    }]
}

fn target(fix: bool) -> Finding {
    if has_target() {
        return Finding::ok(format!("{TARGET} is installed"));
    }
    let help = format!("`rustup target add {TARGET}`");
    if fix && run_shown("rustup", &["target", "add", TARGET]) && has_target() {
        return Finding::ok(format!("{TARGET} has been installed"));
    }
    Finding::error(format!("{TARGET} is not installed for the Rust toolchain in use"), help)
}

/// Looks into the toolchain itself, so that it works without rustup, too.
fn has_target() -> bool {
    let libraries = said_by("rustc", &["--print", "target-libdir", "--target", TARGET]);
    libraries.is_some_and(|path| PathBuf::from(path).is_dir())
}

fn components(app: &App) -> Vec<Finding> {
    let one = |component: &ward_manifest::Component| {
        let source = component.source.strip_prefix(&app.root).unwrap_or(&component.source);
        let built = match component.source.is_file() {
            true => Finding::ok(format!("{}: {}", component.id, source.display())),
            false => Finding::error(
                format!("{}: {} is not there", component.id, source.display()),
                "build it: `ward build`",
            ),
        };
        let refused = refused_files(&app.root, &component.files, &component.exclude_files);
        let refused = refused.into_iter().map(|entry| {
            let text = format!("{}: `files` in spin.toml: {entry}", component.id);
            Finding::error(text, "make what it names, mend the entry, or take it out")
        });
        std::iter::once(built).chain(refused).collect::<Vec<_>>()
    };
    app.components.values().flat_map(one).collect()
}

/// Whether the engine gets what it reserves; where it does not, components run all the same.
fn memory() -> Finding {
    match ward_runtime::address_space() {
        None => Finding::ok("the address space for all instances can be reserved"),
        Some(cause) => {
            let text = format!("the address space for all instances cannot be reserved: {cause}");
            let help = "components are slower without it; allow more: `ulimit -v unlimited`";
            Finding::new(Status::Warning, text, Some(help.to_owned()))
        }
    }
}

fn free_ports(app: &App) -> Vec<Finding> {
    let grpc = grpc::address(app);
    let busy = ports::busy(&app.settings, grpc, None);
    if !busy.is_empty() {
        return busy.into_iter().map(|busy| Finding::from(busy.failure())).collect();
    }
    let listeners = app.settings.listeners.values().map(ToString::to_string);
    let gateway = std::iter::once(app.settings.listen.to_string());
    let grpc = grpc.map(|address| address.to_string());
    let all: Vec<_> = gateway.chain(listeners).chain(grpc).collect();
    vec![Finding::ok(format!("free: {}", all.join(", ")))]
}

/// What a program prints, if it runs and succeeds.
fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Runs a program with its output on the terminal.
fn run_shown(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(std::io::stderr());
    command.status().is_ok_and(|status| status.success())
}
