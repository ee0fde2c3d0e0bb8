//! `ward migrate`: the databases of `ward up`, brought to the newest migration and nothing else.

use std::process::ExitCode;

use crate::application::Application;
use crate::cli::DatabasesArgs;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::provision::Provision;
use crate::schema;
use crate::signals::Stop;

/// Migrates and stops what it had to start.
pub(crate) fn run(args: &DatabasesArgs) -> Result<ExitCode, Failure> {
    crate::logging::start(&args.output)?;
    let progress = Progress::new(&args.output);
    let application = Application::load(&args.from, &args.config)?;
    super::runtime()?.block_on(async {
        let stop = Stop::on_signals()?;
        let provision = Provision::new(&application, &args.config, progress, &stop).await?;
        let Some(provision) = provision else { return Err(interrupted()) };
        let migrated = match application.variables(&provision.made.values) {
            Ok(variables) => {
                let work =
                    schema::prepare(&application, &variables, &provision.made, false, progress);
                tokio::select! {
                    biased;
                    () = stop.requested() => Err(interrupted()),
                    migrated = work => migrated,
                }
            }
            Err(failure) => Err(failure),
        };
        migrated.and(provision.stop(progress).await)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn interrupted() -> Failure {
    Failure::new("interrupted before all databases were migrated").help("run it again")
}
