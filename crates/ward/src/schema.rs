//! Brings every service's database to its newest migration, and loads demo data where asked to.

use tokio_postgres::Client;
use ward_manifest::{Database, Variables};

use crate::application::Application;
use crate::database::{away, connect};
use crate::failure::Failure;
use crate::progress::{Phase, Progress};
use crate::provision::Made;
use crate::{demo, migrations, owner};

/// Migrates all databases, each as its owner, by way of the administrator where `made` has
/// one, and otherwise as whoever the address of the service names.
pub(crate) async fn prepare(
    application: &Application,
    variables: &Variables,
    made: &Made,
    with_demo: bool,
    progress: Progress,
) -> Result<(), Failure> {
    let databases = application.databases();
    if databases.is_empty() {
        return Ok(());
    }
    let phase = progress.phase("migrating databases");
    let (mut applied, mut loaded) = (0, Vec::new());
    for database in &databases {
        let waited = away(&format!("the database {}", database.name));
        let connecting = async {
            match made.administrators.get(&database.name) {
                Some(url) => owner::connect_as(url, database).await,
                None => connect_as_service(database, variables).await,
            }
        };
        let mut client = phase.saying(&waited, connecting).await?;
        let outcome = one(&mut client, database, with_demo, &phase).await?;
        applied += outcome.applied;
        if outcome.demo {
            loaded.push(database.name.as_str());
        }
    }
    let names: Vec<_> = databases.iter().map(|database| database.name.as_str()).collect();
    let mut text = format!("databases ready: {}", names.join(", "));
    if applied > 0 {
        text.push_str(&format!("; {applied} migrations applied"));
    }
    if !loaded.is_empty() {
        text.push_str(&format!("; demo data loaded into {}", loaded.join(", ")));
    }
    phase.done(&text);
    Ok(())
}

struct Outcome {
    applied: usize,
    demo: bool,
}

async fn connect_as_service(database: &Database, variables: &Variables) -> Result<Client, Failure> {
    let url = variables.app_value(&database.variable).unwrap_or_default();
    connect(url).await.map_err(|failure| {
        failure.or_help(format!(
            "if another ward made this role, bring its secrets.toml, or give the right address \
             in the variable {}",
            database.variable
        ))
    })
}

async fn one(
    client: &mut Client,
    database: &Database,
    with_demo: bool,
    phase: &Phase,
) -> Result<Outcome, Failure> {
    let applied = migrations::apply(client, database, phase).await?;
    let demo = match database.demo.as_deref().filter(|_| with_demo) {
        Some(file) => demo::load(client, file).await?,
        None => false,
    };
    Ok(Outcome { applied, demo })
}
