//! Brings every service's database to its newest migration, and loads demo data where asked to.

use ward_manifest::{Database, Variables};

use crate::application::Application;
use crate::database::{away, connect};
use crate::failure::Failure;
use crate::progress::{Phase, Progress};
use crate::{demo, migrations};

/// Migrates all databases, each as its own role.
pub(crate) async fn prepare(
    application: &Application,
    variables: &Variables,
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
        let outcome = one(database, variables, with_demo, &phase).await?;
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

async fn one(
    database: &Database,
    variables: &Variables,
    with_demo: bool,
    phase: &Phase,
) -> Result<Outcome, Failure> {
    let url = variables.app_value(&database.variable).unwrap_or_default();
    let waited = away(&format!("the database {}", database.name));
    let connected = phase.saying(&waited, connect(url)).await;
    let mut client = connected.map_err(|failure| {
        failure.or_help(format!(
            "if another ward made this role, bring its secrets.toml, or give the right address \
             in the variable {}",
            database.variable
        ))
    })?;
    let applied = migrations::apply(&mut client, database, phase).await?;
    let demo = match database.demo.as_deref().filter(|_| with_demo) {
        Some(file) => demo::load(&mut client, file).await?,
        None => false,
    };
    Ok(Outcome { applied, demo })
}
