//! Sessions as their owners see them, and as those who announce their ends do.

use kit::audit::Access;
use kit::database::{Database, Fault, text, uuid};
use kit::date;
use serde::Serialize;
use spin_sdk::pg::ParameterValue;

use crate::limits::{ANNOUNCED_BEYOND_SECONDS, BATCH, SHOWN_MAX};

/// A session that goes on.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    id: String,
    /// Whether it is the one that asks.
    current: bool,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    started_at: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    refreshed_at: String,
    /// When it is over if nobody refreshes it.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// A session that has ended.
pub(crate) struct Ended {
    /// Its id.
    pub(crate) id: String,
    /// The end of its last access token, in seconds of the Unix epoch.
    pub(crate) access_until: i64,
}

/// How a session is ended by its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From within.
    Logout,
    /// From another one, or by its id.
    End,
}

impl Way {
    /// The session's `end_reason`, and the audit log's action.
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Logout => ["LOGOUT", "LOGOUT"],
            Self::End => ["ENDED", "SESSION_END"],
        }
    }
}

const ANNOUNCED: &str = "\
UPDATE sessions SET announced = true
 WHERE id = ANY ($1::text[]::uuid[]) AND ended_at IS NOT NULL";

const UNANNOUNCED: &str = "\
SELECT id, extract(epoch FROM access_until)::bigint AS access_until
  FROM sessions
 WHERE ended_at IS NOT NULL AND NOT announced
 ORDER BY ended_at
 LIMIT $1::bigint";

const OVER: &str = "\
SELECT id, announced
  FROM sessions
 WHERE matters_until < now() - $1::bigint * interval '1 second'
   AND (ended_at IS NULL OR announced)
 ORDER BY matters_until
 LIMIT $2::bigint";

/// What has been refreshed meanwhile stays.
const REMOVE: &str = "\
DELETE FROM sessions
 WHERE id = ANY ($1::text[]::uuid[]) AND matters_until < now()";

/// The caller's sessions, the newest first.
pub(crate) async fn list(
    database: &Database,
    access: &Access<'_>,
    current: Option<&str>,
) -> Result<Vec<Session>, Fault> {
    let values = access.values([ParameterValue::Int64(SHOWN_MAX)]);
    let rows = database.query(include_str!("sessions.sql"), values).await?;
    let session = |row: &kit::database::Row| {
        let id = row.uuid(0)?;
        Ok(Session {
            current: Some(id.as_str()) == current,
            id,
            started_at: date::format_instant(row.instant(1)?),
            refreshed_at: date::format_instant(row.instant(2)?),
            expires_at: date::format_instant(row.instant(3)?),
            address: row.get(4)?,
        })
    };
    rows.iter().map(session).collect()
}

/// Ends a session of the caller's; false if there is none of that id.
pub(crate) async fn end(
    database: &Database,
    access: &Access<'_>,
    id: &str,
    way: Way,
) -> Result<bool, Fault> {
    let [reason, action] = way.words();
    let values = access.values([uuid(id), text(reason), text(action)]);
    Ok(!database.query(include_str!("end.sql"), values).await?.is_empty())
}

/// Sessions whose end was not announced yet, the oldest first.
pub(crate) async fn unannounced(database: &Database) -> Result<Vec<Ended>, Fault> {
    let rows = database.query(UNANNOUNCED, vec![ParameterValue::Int64(BATCH)]).await?;
    rows.iter().map(|row| Ok(Ended { id: row.uuid(0)?, access_until: row.bigint(1)? })).collect()
}

/// Says of these that their end was announced.
pub(crate) async fn announced(
    database: &Database,
    ids: impl Iterator<Item = String>,
) -> Result<(), Fault> {
    database.execute(ANNOUNCED, vec![array(ids)]).await
}

/// Sessions of which nothing matters any more, and whether they were announced.
pub(crate) async fn over(database: &Database) -> Result<Vec<(String, bool)>, Fault> {
    let values =
        vec![ParameterValue::Int64(ANNOUNCED_BEYOND_SECONDS), ParameterValue::Int64(BATCH)];
    let rows = database.query(OVER, values).await?;
    rows.iter().map(|row| Ok((row.uuid(0)?, row.get(1)?))).collect()
}

/// Removes these, with what they have spent.
pub(crate) async fn remove(
    database: &Database,
    ids: impl Iterator<Item = String>,
) -> Result<(), Fault> {
    database.execute(REMOVE, vec![array(ids)]).await
}

fn array(ids: impl Iterator<Item = String>) -> ParameterValue {
    ParameterValue::ArrayStr(ids.map(Some).collect())
}
