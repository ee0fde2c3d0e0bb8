//! `ward audit verify`: goes over the audit log of every service, and says whether it is as it was
//! written. It reads, and changes nothing; what `ward audit prune` removes is for [`prune`].

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;

use futures::TryStreamExt;
use tokio_postgres::{Client, IsolationLevel, Row, Transaction};
use ward_manifest::Database;

use super::prune::prune;
use crate::application::Application;
use crate::audit_chain::{self, Broken, Entry, Head, Kept, Walk, Whole};
use crate::cli::{AuditCommand, PruneArgs, VerifyArgs};
use crate::database::{connect, sql_error};
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::provision::{Provision, Values, is_running, of_running};

/// Whether a database has an audit log that is chained.
const IS_CHAINED: &str = "SELECT count(*) = 2 FROM information_schema.columns
    WHERE table_schema = 'public' AND (table_name, column_name)
    IN (('audit_log', 'chain_digest'), ('audit_chain', 'digest'))";

const HEADS: &str = "SELECT lane, number, digest FROM audit_chain ORDER BY lane";

/// As the trigger that chains them sees rows.
const ROWS: &str = "SELECT seq, chain_lane, chain_number, chain_digest,
    jsonb_strip_nulls(to_jsonb(a) - 'chain_digest')::text
    FROM audit_log AS a WHERE chain_number IS NOT NULL ORDER BY chain_lane, chain_number";

/// A row without a number that is not from before there were any.
const BESIDE: &str = "SELECT min(seq) FROM audit_log WHERE chain_number IS NULL
    AND seq > (SELECT min(seq) FROM audit_log WHERE chain_number IS NOT NULL)";

const BEFORE: &str = "SELECT count(*) FROM audit_log WHERE chain_number IS NULL";

/// Whether it is known of this log which rows were removed in order.
const IS_CUT: &str = "SELECT to_regclass('public.audit_cuts') IS NOT NULL";

const CUTS: &str = "SELECT lane, number, digest FROM audit_cuts";

/// What the last row about a removal tells, which no removal can have removed.
const TOLD: &str = "SELECT coalesce((SELECT times FROM audit_log
        WHERE action = 'PRUNE' ORDER BY seq DESC LIMIT 1), 0),
    (SELECT to_char(max(at), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM audit_cuts)";

/// Does what was asked for.
pub(crate) fn run(command: &AuditCommand) -> Result<ExitCode, Failure> {
    let (AuditCommand::Verify(VerifyArgs { databases, .. })
    | AuditCommand::Prune(PruneArgs { databases, .. })) = command;
    crate::logging::start(&databases.output)?;
    super::runtime()?.block_on(async {
        match command {
            AuditCommand::Verify(args) => verify(args).await,
            AuditCommand::Prune(args) => prune(args).await,
        }
    })
}

async fn verify(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let VerifyArgs { databases, heads, kept } = args;
    let kept = kept.as_deref().map_or_else(|| Ok(BTreeMap::new()), read_kept)?;
    let application = Application::load(&databases.from, &databases.config)?;
    let verifying = Verifying { application: &application, heads: *heads, kept };
    // Where a ward runs its server is there; otherwise what it was started with is started.
    let broken = match is_running(&application) {
        true => verifying.all(&of_running(&application, &databases.config)?.0).await?,
        false => {
            let provision = Provision::quietly(&application, &databases.config).await?;
            let broken = verifying.all(&provision.made.values).await;
            // Stopped after a failure, too; the failure is the news then.
            let stopped = provision.stop(Progress::Quiet).await;
            broken.and_then(|broken| stopped.map(|()| broken))?
        }
    };
    match broken {
        0 => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::FAILURE),
    }
}

/// The heads in a file, by log.
fn read_kept(path: &Path) -> Result<BTreeMap<String, Kept>, Failure> {
    let path_text = path.display();
    let text = fs::read_to_string(path).map_err(Failure::because(&path_text))?;
    let kept = audit_chain::kept(&text)
        .map_err(|line| Failure::new(format!("{path_text}:{line}: this is no end of a lane")))?;
    if kept.is_empty() {
        return Err(Failure::new(format!("{path_text}: nothing was kept in it"))
            .help("keep what `ward audit verify --heads` prints"));
    }
    Ok(kept)
}

/// What is done with all logs.
struct Verifying<'a> {
    application: &'a Application,
    /// Whether the ends of lanes are printed.
    heads: bool,
    /// What has to be in the logs.
    kept: BTreeMap<String, Kept>,
}

impl Verifying<'_> {
    /// Goes over all logs; how many are broken.
    async fn all(mut self, values: &Values) -> Result<usize, Failure> {
        let variables = self.application.variables(values)?;
        let mut broken = 0;
        for database in self.application.databases() {
            let url = variables.app_value(&database.variable).unwrap_or_default();
            let kept = self.kept.remove(&database.name).unwrap_or_default();
            let are_kept = !kept.is_empty();
            let name = &database.name;
            match look(&mut connect(url).await?, database, kept).await? {
                None if are_kept => {
                    broken += 1;
                    output::print(&format!("{name}: BROKEN: the log that was kept is gone\n"))?;
                }
                None => output::print(&format!("{name}: no audit log that is chained\n"))?,
                Some(Log { found: Err(what), .. }) => {
                    broken += 1;
                    output::print(&format!("{name}: BROKEN: {what}\n"))?;
                }
                Some(Log { found: Ok(whole), before, removal }) => {
                    output::print(&said(name, &whole, before, removal))?;
                    for head in whole.heads.iter().filter(|head| self.heads && head.number > 0) {
                        output::print(&audit_chain::line(name, head))?;
                    }
                }
            }
        }
        for name in self.kept.keys() {
            broken += 1;
            output::print(&format!("{name}: BROKEN: the log that was kept is gone\n"))?;
        }
        Ok(broken)
    }
}

/// The line about a log that is whole.
fn said(name: &str, whole: &Whole, before: i64, removal: Option<String>) -> String {
    let Whole { rows, removed, digest, found, outdated, .. } = whole;
    let older = match before {
        0 => String::new(),
        before => format!(" ({before} older ones are not chained)"),
    };
    let gone = removal.filter(|_| *removed > 0).map_or_else(String::new, |at| {
        format!(" after {removed} that were removed, the last of them at {at}")
    });
    let kept = match (found, outdated) {
        (0, 0) => String::new(),
        (found, 0) => format!("; {found} kept ends are in it"),
        (found, outdated) => {
            format!("; {found} kept ends are in it, {outdated} went with what was removed")
        }
    };
    format!("{name}: {rows} rows, whole{gone}{older}; {digest}{kept}\n")
}

/// What became of a log.
struct Log {
    found: Result<Whole, Broken>,
    /// How many rows are from before it was chained.
    before: i64,
    /// When rows were last removed in order.
    removal: Option<String>,
}

/// Goes over one log as it is at one moment.
async fn look(
    client: &mut Client,
    database: &Database,
    kept: Kept,
) -> Result<Option<Log>, Failure> {
    let failed =
        |error| sql_error(&format!("database {}: reading its audit log", database.name), &error);
    let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
    let transaction = transaction.read_only(true).start().await.map_err(failed)?;
    look_in(&transaction, kept).await.map_err(failed)
}

async fn look_in(
    transaction: &Transaction<'_>,
    kept: Kept,
) -> Result<Option<Log>, tokio_postgres::Error> {
    if !transaction.query_one(IS_CHAINED, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    transaction.batch_execute("SET LOCAL timezone = 'UTC'").await?;
    let before = transaction.query_one(BEFORE, &[]).await?.try_get(0)?;
    if let Some(seq) = transaction.query_one(BESIDE, &[]).await?.try_get(0)? {
        let found = Err(Broken::Unchained { seq });
        return Ok(Some(Log { found, before, removal: None }));
    }
    let Cuts { cuts, told, removal } = cuts(transaction).await?;
    let heads = transaction.query(HEADS, &[]).await?;
    let heads = heads.iter().map(|row| head(row, 0)).collect::<Result<_, _>>()?;
    let mut walk = Walk::new(heads, cuts, kept);
    let mut rows = pin!(transaction.query_raw(ROWS, [""; 0]).await?);
    while let Some(row) = rows.try_next().await? {
        let entry = Entry { seq: row.try_get(0)?, place: head(&row, 1)?, text: row.try_get(4)? };
        if let Err(broken) = walk.take(entry) {
            return Ok(Some(Log { found: Err(broken), before, removal }));
        }
    }
    Ok(Some(Log { found: walk.end(told), before, removal }))
}

/// What is known of rows that were removed in order.
#[derive(Default)]
struct Cuts {
    cuts: Vec<Head>,
    /// How many the log says that were ever removed.
    told: i64,
    removal: Option<String>,
}

async fn cuts(transaction: &Transaction<'_>) -> Result<Cuts, tokio_postgres::Error> {
    if !transaction.query_one(IS_CUT, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(Cuts::default());
    }
    let rows = transaction.query(CUTS, &[]).await?;
    let cuts = rows.iter().map(|row| head(row, 0)).collect::<Result<_, _>>()?;
    let told = transaction.query_one(TOLD, &[]).await?;
    Ok(Cuts { cuts, told: told.try_get(0)?, removal: told.try_get(1)? })
}

fn head(row: &Row, at: usize) -> Result<Head, tokio_postgres::Error> {
    Ok(Head { lane: row.try_get(at)?, number: row.try_get(at + 1)?, digest: row.try_get(at + 2)? })
}
