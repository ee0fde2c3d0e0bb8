//! `ward audit prune`: has each service's database remove old rows from its audit log, as the role
//! that may do that and nothing else. What stays of them is decided by the function that
//! the manifest names as `prune`; that nothing of the last six years goes unless somebody insists
//! is this command's rule.

use std::process::ExitCode;

use ward_embedded::quote_identifier;
use ward_manifest::Database;

use crate::age::Age;
use crate::application::Application;
use crate::cli::PruneArgs;
use crate::database::{connect, sql_error};
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::provision::{Provision, Values, is_running, pruners_of_running};

/// For how long rows stay unless somebody insists: HIPAA wants six years (45 CFR 164.316).
const YEARS_MIN: u32 = 6;

/// Does what was asked for.
pub(crate) async fn prune(args: &PruneArgs) -> Result<ExitCode, Failure> {
    if args.older_than.is_less_than_years(YEARS_MIN) && !args.force {
        let text = format!("audit logs stay for {YEARS_MIN} years");
        return Err(Failure::new(text).help("--force removes what is younger as well"));
    }
    let databases = &args.databases;
    let application = Application::load(&databases.from, &databases.config)?;
    if is_running(&application) {
        prune_all(&application, &pruners_of_running(&application)?, args.older_than).await?;
    } else {
        let provision = Provision::quietly(&application, &databases.config).await?;
        let pruned = prune_all(&application, &provision.made.pruners, args.older_than).await;
        // Stopped after a failure, too; the failure is the news then.
        pruned.and(provision.stop(Progress::Quiet).await)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn prune_all(
    application: &Application,
    pruners: &Values,
    older_than: Age,
) -> Result<(), Failure> {
    for database in application.databases() {
        let Some(function) = &database.prune else {
            output::print(&format!("{}: nothing here removes what is old\n", database.name))?;
            continue;
        };
        let removed = one(database, function, pruners, older_than).await?;
        output::print(&format!("{}: {removed} rows removed\n", database.name))?;
    }
    Ok(())
}

async fn one(
    database: &Database,
    function: &str,
    pruners: &Values,
    older_than: Age,
) -> Result<i64, Failure> {
    let name = &database.name;
    let url = pruners.get(name).ok_or_else(|| {
        Failure::new(format!("database {name}: there is no address of the role that prunes it"))
            .help(
                "ward makes that role where it makes the databases: name an administrator of \
                   the server with --database-url",
            )
    })?;
    let client = connect(url).await?;
    let sql = format!("SELECT {}(now() - $1::text::interval)", quote_identifier(function));
    let row = client.query_one(&sql, &[&older_than.to_string()]).await;
    let what = format!("database {name}: removing what is old");
    let row = row.map_err(|error| {
        sql_error(&what, &error).help("`ward migrate` makes what is missing, if that is it")
    })?;
    Ok(row.get(0))
}
