//! `ward wit`: what can be said of the contracts without running anything. The findings and the
//! text are ward-wire's; here is only where the files are.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ward_manifest::App;
use ward_wire::{Contract, Naming, compat, proto_text};

use crate::cli::{FromArgs, WitCheckArgs, WitCommand, WitProtoArgs};
use crate::commands::asyncapi;
use crate::failure::Failure;
use crate::output;

/// Does what the command line says.
pub(crate) fn run(command: &WitCommand) -> Result<ExitCode, Failure> {
    match command {
        WitCommand::Check(args) => check(args),
        WitCommand::Proto(args) => proto(args),
        WitCommand::Asyncapi(args) => asyncapi(args),
    }
}

fn check(args: &WitCheckArgs) -> Result<ExitCode, Failure> {
    let released = args.released.clone().unwrap_or_else(|| args.wit.join("released"));
    let current = read(&args.wit, &released)?;
    let interfaces = current.interfaces().len();
    if !released.is_dir() {
        let wit = args.wit.display();
        output::print(&format!("{wit}: {interfaces} interfaces; nothing was released yet\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let findings = compat::check(&read(&released, Path::new(""))?, &current);
    if !findings.is_empty() {
        let help = format!("{} holds what others were promised", released.display());
        return Err(Failure::all(findings).help(help));
    }
    let (wit, released) = (args.wit.display(), released.display());
    output::print(&format!("{wit}: {interfaces} interfaces, nothing breaks {released}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn proto(args: &WitProtoArgs) -> Result<ExitCode, Failure> {
    if args.service.is_some() && args.interfaces.len() > 1 {
        return Err(Failure::new("--service names one service, and there are several interfaces"));
    }
    let contract = read(&args.wit, &args.wit.join("released"))?;
    let mut interfaces = args.interfaces.clone();
    if interfaces.is_empty() {
        interfaces = contract.interfaces();
        interfaces.retain(|interface| !contract.functions(interface).is_empty());
    }
    let naming = Naming {
        package: args.package.clone(),
        service: args.service.clone(),
        ambient: ambient(args)?,
    };
    let text = proto_text(&contract, &interfaces, &naming).map_err(Failure::all)?;
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn asyncapi(args: &FromArgs) -> Result<ExitCode, Failure> {
    let app = App::load(&args.from)?;
    let Some(kafka) = &app.kafka else {
        let help = "topics are named in [[application.trigger.kafka.outbox]]";
        return Err(Failure::new("the application sends no events").help(help));
    };
    let contract = read(&kafka.contracts, &kafka.contracts.join("released"))?;
    output::print(&asyncapi::document(&app, &contract).map_err(Failure::all)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The records that are no part of messages: those that were named, or what the manifest beside the
/// contracts says of gRPC.
fn ambient(args: &WitProtoArgs) -> Result<Vec<String>, Failure> {
    let manifest = args.wit.parent().unwrap_or(&args.wit).join("spin.toml");
    if !args.ambient.is_empty() || !manifest.is_file() {
        return Ok(args.ambient.clone());
    }
    let caller = App::load(&manifest)?.grpc.caller;
    Ok(caller.iter().map(ToString::to_string).collect())
}

/// The packages in the directories directly in `directory`, without the one at `except`.
fn read(directory: &Path, except: &Path) -> Result<Contract, Failure> {
    let name = directory.display();
    let reading = || Failure::because(format!("reading the contracts in {name}"));
    let mut packages: Vec<PathBuf> = Vec::new();
    for entry in directory.read_dir().map_err(reading())? {
        let path = entry.map_err(reading())?.path();
        if path.is_dir() && !same(&path, except) {
            packages.push(path);
        }
    }
    if packages.is_empty() {
        let help = "each package is a directory of .wit files in it";
        return Err(Failure::new(format!("{name} holds no contracts")).help(help));
    }
    packages.sort();
    Contract::from_directories(&packages).map_err(Failure::new)
}

/// Whether two paths lead to one directory, however they are written.
fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
