//! `POST /api/analytics/rebuild`: projects all events anew, beside what is being read, and
//! switches.
//!
//! It is done in steps, each a statement whose outcome is in the database, so that a request that
//! ends early (by its own clock, with its client, with the process) loses nothing: the next one
//! goes on. Several at once make the same rebuild between them.

use std::time::Instant;

use http::StatusCode;
use kit::database::{Database, Fault};
use kit::route::Call;
use kit::{Problem, Reply, reply};
use serde::Serialize;
use spin_sdk::pg::ParameterValue;

use crate::limits::{REBUILD_STEP, REBUILD_TIME_MAX};

/// How far a rebuild is.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Progress {
    /// `SWITCHED`, or `BUILDING` when the request's time was up: the next one goes on.
    state: &'static str,
    /// The sequence up to which events are in the new projections.
    sequence: i64,
    /// The sequence of the last event there is.
    head: i64,
}

/// Answers.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    super::no_parameters(call.query)?;
    let rebuilding = async {
        let database = crate::database().await?;
        let noted = include_str!("../store/rebuild_noted.sql");
        database.execute(noted, call.caller.access().values([])).await?;
        rebuild(&database).await
    };
    let progress = rebuilding.await.map_err(crate::failed(call))?;
    let done = progress.state == SWITCHED;
    let status = if done { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(reply::json(status, &progress))
}

const SWITCHED: &str = "SWITCHED";
const BUILDING: &str = "BUILDING";

async fn rebuild(database: &Database) -> Result<Progress, Fault> {
    let begun = Instant::now();
    loop {
        let progress = step(database).await?;
        if progress.state == SWITCHED {
            // What is not removed in time is removed after the next rebuild: nobody reads it.
            while remove(database).await? > 0 && begun.elapsed() < REBUILD_TIME_MAX {}
            return Ok(progress);
        }
        if begun.elapsed() >= REBUILD_TIME_MAX {
            return Ok(progress);
        }
    }
}

async fn step(database: &Database) -> Result<Progress, Fault> {
    let values = vec![ParameterValue::Int64(REBUILD_STEP)];
    let rows = database.query(include_str!("../store/rebuild_step.sql"), values).await?;
    let row = rows.first().ok_or_else(|| Fault::Other("no-row".to_owned()))?;
    let state = if row.get(0)? { SWITCHED } else { BUILDING };
    Ok(Progress { state, sequence: row.bigint(1)?, head: row.bigint(2)? })
}

async fn remove(database: &Database) -> Result<i64, Fault> {
    let values = vec![ParameterValue::Int64(REBUILD_STEP)];
    let rows = database.query(include_str!("../store/rebuild_removal.sql"), values).await?;
    rows.first().ok_or_else(|| Fault::Other("no-row".to_owned()))?.bigint(0)
}
