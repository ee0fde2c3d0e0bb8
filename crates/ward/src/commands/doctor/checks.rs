//! The looks themselves, one function each. A check that cannot be made because the manifest
//! cannot be read is left out: the manifest's own finding says why.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::ValueEnum;
use ward_embedded::{StateLock, ensure_installed, how_to_install, installations};
use ward_manifest::{App, KafkaSettings, RuntimeConfig};

use super::{Finding, Status};
use crate::application::{Application, runtime_config_file};
use crate::cli::{Check, DoctorArgs};
use crate::database::connect;
use crate::events::{LogKind, broker_of};
use crate::failure::Failure;
use crate::progress::Progress;
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
            (Check::Postgresql, _) => vec![postgresql(args).await],
            (Check::Components, Ok(app)) => components(app),
            (Check::Broker, Ok(app)) => broker(args, app),
            (Check::Ports, Ok(app)) => vec![free_ports(app)],
            (Check::State, Ok(app)) => vec![state(args, app)],
            (Check::Components | Check::Broker | Check::Ports | Check::State, Err(_)) => Vec::new(),
        };
        findings.extend(found.into_iter().map(|finding| finding.of(*check)));
    }
    findings
}

impl Finding {
    fn new(status: Status, message: impl Into<String>, help: Option<String>) -> Self {
        Self { check: String::new(), status, message: message.into(), help }
    }

    fn ok(message: impl Into<String>) -> Self {
        Self::new(Status::Ok, message, None)
    }

    fn error(message: impl Into<String>, help: impl Into<String>) -> Self {
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
        findings.extend(variables(args).err().map(Finding::from));
    }
    findings
}

/// What a start would say of the variables.
fn variables(args: &DoctorArgs) -> Result<(), Failure> {
    provision::given(&Application::load(&args.from, &args.config)?).map(drop)
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
        match component.source.is_file() {
            true => Finding::ok(format!("{}: {}", component.id, source.display())),
            false => Finding::error(
                format!("{}: {} is not there", component.id, source.display()),
                "build it: `ward build`",
            ),
        }
    };
    app.components.values().map(one).collect()
}

async fn postgresql(args: &DoctorArgs) -> Finding {
    if let Some(url) = &args.config.database_url {
        let version = async { provision::check_version(&connect(url).await?).await };
        return match version.await {
            Ok(version) => Finding::ok(format!("PostgreSQL {version} answers at --database-url")),
            Err(failure) => failure.into(),
        };
    }
    if args.fix {
        let installing = Progress::Lines.phase("installing PostgreSQL");
        if let Err(error) = ensure_installed(&installing.notes()) {
            return Failure::from(error).into();
        }
    }
    match installations().first() {
        Some(found) => {
            Finding::ok(format!("PostgreSQL {} in {}", found.version, found.bindir.display()))
        }
        None => Finding::error("no PostgreSQL 15 or newer was found", how_to_install()),
    }
}

/// What events go through, where the application has any. That a broker is away is no error: events
/// wait, and everything else goes on.
fn broker(args: &DoctorArgs, app: &App) -> Vec<Finding> {
    let Some(settings) = &app.kafka else { return Vec::new() };
    vec![given_broker(args, settings).unwrap_or_else(Finding::from)]
}

/// The broker that the user names, with settings that a client can be made with.
fn given_broker(args: &DoctorArgs, settings: &KafkaSettings) -> Result<Finding, Failure> {
    let application = Application::load(&args.from, &args.config)?;
    if LogKind::of(&application, settings)? == LogKind::Embedded {
        return Ok(Finding::ok("none is needed: events go through PostgreSQL"));
    }
    Ok(match broker_of(&application, settings)? {
        Some(connection) => Finding::ok(format!("Kafka at {}", connection.brokers())),
        None => {
            let text = "the address of the Kafka broker is empty; events would wait";
            let help = "give one with --kafka-brokers, or none to have them in PostgreSQL";
            Finding::new(Status::Warning, text, Some(help.to_owned()))
        }
    })
}

fn free_ports(app: &App) -> Finding {
    let grpc = grpc::address(app);
    match ports::check(&app.settings, grpc, None) {
        Err(failure) => failure.into(),
        Ok(()) => {
            let listeners = app.settings.listeners.values().map(ToString::to_string);
            let gateway = std::iter::once(app.settings.listen.to_string());
            let grpc = grpc.map(|address| address.to_string());
            let all: Vec<_> = gateway.chain(listeners).chain(grpc).collect();
            Finding::ok(format!("free: {}", all.join(", ")))
        }
    }
}

fn state(args: &DoctorArgs, app: &App) -> Finding {
    let configured = || {
        let path = runtime_config_file(app, &args.config)?;
        // What is wrong with the file is the manifest check's finding.
        RuntimeConfig::load(&path).ok()?.state_dir
    };
    let state = args.config.state_dir.clone().or_else(configured);
    let state = state.unwrap_or_else(|| app.root.join(".ward"));
    let shown = state.display();
    if !state.exists() {
        return Finding::ok(format!("{shown} will be made"));
    }
    match StateLock::acquire(&state) {
        Ok(_) => Finding::ok(format!("{shown} is there and not in use")),
        Err(error) => Failure::from(error).into(),
    }
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
