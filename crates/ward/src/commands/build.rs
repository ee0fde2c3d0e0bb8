//! `ward build`: runs each component's build commands, in the shell, where the manifest says. What
//! they print goes straight to the terminal. Components with the same commands are built once.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use ward_manifest::{App, Component};

use crate::cli::BuildArgs;
use crate::failure::Failure;
use crate::progress::Progress;

/// Builds what was asked for.
pub(crate) fn run(args: &BuildArgs) -> Result<ExitCode, Failure> {
    crate::logging::start(&args.output)?;
    let app = App::load(&args.from.from)?;
    build(&app, &args.component_ids, Progress::new(&args.output))?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the named components, or all of them for an empty list.
pub(crate) fn build(app: &App, ids: &[String], progress: Progress) -> Result<(), Failure> {
    if let Some(unknown) = ids.iter().find(|id| !app.components.contains_key(*id)) {
        let known: Vec<_> = app.components.keys().map(String::as_str).collect();
        let text = format!("the manifest has no component {unknown:?}");
        return Err(Failure::new(text).help(format!("it has {}", known.join(", "))));
    }
    let wanted = |component: &&Component| ids.is_empty() || ids.contains(&component.id);
    let mut ran = BTreeSet::new();
    for component in app.components.values().filter(wanted) {
        let Some(build) = &component.build else { continue };
        for command in &build.commands {
            if ran.insert((&build.workdir, command)) {
                // No spinner: the command owns the terminal while it runs.
                let phase = progress.without_spinner().phase("");
                run_command(&component.id, command, &build.workdir)?;
                phase.done(&format!("built {}", component.id));
            }
        }
    }
    Ok(())
}

fn run_command(id: &str, command: &str, workdir: &Path) -> Result<(), Failure> {
    let mut shell = Command::new("/bin/sh");
    for (name, _) in std::env::vars_os() {
        if is_secret(&name.to_string_lossy()) {
            shell.env_remove(name);
        }
    }
    let status = shell
        .args(["-c", command])
        .current_dir(if workdir.as_os_str().is_empty() { Path::new(".") } else { workdir })
        .stdin(Stdio::null())
        .status()
        .map_err(Failure::because(format!("component {id}: running its build command")))?;
    if status.success() {
        return Ok(());
    }
    let text = format!("component {id}: its build command failed ({status}): {command}");
    Err(Failure::new(text).help("`ward doctor` checks the toolchain and the wasm target"))
}

/// Variables with values of the application, passwords among them, ward's own address of the
/// database, and the operators' token: no business of what builds a component.
fn is_secret(name: &str) -> bool {
    name.starts_with("SPIN_VARIABLE_") || ["WARD_DATABASE_URL", "WARD_OPS_TOKEN"].contains(&name)
}
