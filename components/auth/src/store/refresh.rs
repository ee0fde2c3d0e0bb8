//! What a refresh writes, and what follows where it is refused.

use kit::audit::{Access, optional};
use kit::database::{Database, Fault, uuid};
use kit::refusal;
use spin_sdk::pg::ParameterValue;
use uuid::Uuid;

use crate::limits::{IDLE_SECONDS, RACE_SECONDS, REFRESHES_MAX};

/// The session that a refresh token was good for.
pub(crate) struct Session {
    /// Its id.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) user: String,
    /// Their role.
    pub(crate) role: String,
    /// For how many seconds the next refresh token is good.
    pub(crate) seconds: i64,
}

/// The hashes of a token and of the one that replaces it, and the access token that comes with it.
pub(crate) struct Rotation<'a> {
    pub(crate) presented: &'a [u8],
    pub(crate) next: Vec<u8>,
    pub(crate) token_id: Uuid,
    pub(crate) access_until: i64,
    pub(crate) access: Access<'a>,
}

/// Why a token was not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It was the newest a moment ago, and another request with it came first.
    Raced,
    /// Nobody's, or of a session that is over; or it was used before, and the session has ended.
    NoGood,
}

/// Replaces a token by the next, in one statement: of two requests with the same token one finds
/// it. `None` where it is not the newest of a session that goes on.
pub(crate) async fn rotate(
    database: &Database,
    it: Rotation<'_>,
) -> Result<Option<Session>, Fault> {
    let values = vec![
        ParameterValue::Binary(it.presented.to_vec()),
        ParameterValue::Binary(it.next),
        ParameterValue::Int64(it.access_until),
        ParameterValue::Int64(IDLE_SECONDS),
        ParameterValue::Int64(REFRESHES_MAX),
        uuid(&it.token_id.to_string()),
        optional(it.access.request_id),
        optional(it.access.address),
    ];
    let rows = database.query(include_str!("refresh.sql"), values).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Session {
        id: row.uuid(0)?,
        user: row.uuid(1)?,
        role: row.text(2)?,
        seconds: row.bigint(3)?,
    }))
}

/// Finds out why a token was not good, and notes it. If it had been replaced before, its session
/// ends with that.
pub(crate) async fn refuse(
    database: &Database,
    presented: &[u8],
    access: &Access<'_>,
) -> Result<Refused, Fault> {
    let values = vec![
        ParameterValue::Binary(presented.to_vec()),
        ParameterValue::Int64(RACE_SECONDS),
        optional(access.request_id),
        optional(access.address),
    ];
    let rows = database.query(include_str!("reuse.sql"), values).await?;
    let row = rows.first().ok_or_else(|| Fault::Other("no-row".to_owned()))?;
    let (raced, ended): (bool, bool) = (row.get(0)?, row.get(1)?);
    if raced {
        return Ok(Refused::Raced);
    }
    if !ended {
        let it =
            refusal::Refused { action: "REFRESH", outcome: "FAILURE", operation: None, times: 1 };
        refusal::note(database, access, it).await?;
    }
    Ok(Refused::NoGood)
}
