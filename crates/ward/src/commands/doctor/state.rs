//! The state directory: whose it is, what runs in it, and whether its file system keeps modes.

use std::path::{Path, PathBuf};

use ward_embedded::{ClusterState, Postgres, StateLock, keeps_modes};
use ward_manifest::{App, RuntimeConfig};

use super::{Finding, Status};
use crate::application::{runtime_config_file, state_dir};
use crate::cli::DoctorArgs;
use crate::failure::Failure;

/// Looks at it; nothing is made that is not there.
pub(super) fn check(args: &DoctorArgs, app: &App) -> Vec<Finding> {
    // What is wrong with the file is the manifest check's finding.
    let file = runtime_config_file(app, &args.config);
    let configured = file.and_then(|path| RuntimeConfig::load(&path).ok()?.state_dir);
    let state = state_dir(app, &args.config, configured);
    // What is not ours to use is not ours to tell of.
    if let Err(error) = Postgres::may_use(&state) {
        return vec![Failure::from(error).into()];
    }
    let mut findings = vec![directory(&state)];
    findings.extend(permissions(&state));
    findings.extend(cluster(&state));
    findings
}

fn directory(state: &Path) -> Finding {
    let shown = state.display();
    if !state.exists() {
        return Finding::ok(format!("{shown} will be made"));
    }
    match StateLock::is_free(state) {
        Ok(()) => Finding::ok(format!("{shown} is there and not in use")),
        Err(error) => Failure::from(error).into(),
    }
}

/// Said where nothing can be kept from others. A directory that cannot be written to is another
/// finding.
fn permissions(state: &Path) -> Option<Finding> {
    let state = std::path::absolute(state).ok()?;
    let there: PathBuf = state.ancestors().find(|path| path.is_dir())?.to_owned();
    keeps_modes(&there).err().map(|error| Failure::from(error).into())
}

fn cluster(state: &Path) -> Option<Finding> {
    match Postgres::look(state) {
        Ok(None) => None,
        Ok(Some(ClusterState::Stopped(data))) => {
            Some(Finding::ok(format!("PostgreSQL's data in {} is there", data.display())))
        }
        Ok(Some(ClusterState::Running(data, pid))) => Some(Finding::ok(format!(
            "PostgreSQL runs on the data in {} (process {pid})",
            data.display()
        ))),
        Ok(Some(ClusterState::Unreadable(file))) => {
            let text = format!("{} cannot be read, as after a loss of power", file.display());
            let help = "no server runs there: `ward up` removes it";
            Some(Finding::new(Status::Warning, text, Some(help.to_owned())))
        }
        Err(error) => Some(Failure::from(error).into()),
    }
}
