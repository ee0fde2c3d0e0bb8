//! The users' table and the record of logins, and nothing about HTTP.
//!
//! A login is two statements whatever comes of it: one reads the user, one records the outcome.

use kit::database::{Database, Fault, text, uuid};
use spin_sdk::pg::ParameterValue;
use uuid::Uuid;

/// A user as far as a login needs one.
pub(crate) struct User {
    /// The user's id.
    pub(crate) id: String,
    /// The role that goes into the token.
    pub(crate) role: String,
    /// The hash to compare with.
    pub(crate) password_hash: String,
    /// Whether the user must not log in.
    pub(crate) disabled: bool,
}

/// How a login ended, as the audit row says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A token with this id was issued.
    Success(Uuid),
    /// No token was issued.
    Failure,
}

const FIND: &str = "\
SELECT id, role, password_hash, disabled
  FROM users
 WHERE email = $1::text";

const RECORD: &str = "\
INSERT INTO audit_log (actor, role, action, target, outcome, request_id)
VALUES ($1::uuid, $2::text, 'LOGIN', $3::uuid, $4::text, $5::text)";

/// [`RECORD`] and a new hash in one statement, so that neither happens without the other. The old
/// hash guards the row: a password changed in between, or another login's new hash, stays.
const RECORD_AND_REPLACE: &str = "\
WITH replaced AS (
    UPDATE users
       SET password_hash = $6::text, updated_at = now()
     WHERE id = $1::uuid AND password_hash = $7::text
)
INSERT INTO audit_log (actor, role, action, target, outcome, request_id)
VALUES ($1::uuid, $2::text, 'LOGIN', $3::uuid, $4::text, $5::text)";

/// The user with this address, which must be in its folded form.
pub(crate) async fn find(database: &Database, email: &str) -> Result<Option<User>, Fault> {
    let rows = database.query(FIND, vec![text(email)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(User {
        id: row.uuid(0)?,
        role: row.text(1)?,
        password_hash: row.text(2)?,
        disabled: row.get(3)?,
    }))
}

/// Writes the audit row, and the new hash where there is one.
pub(crate) async fn record(
    database: &Database,
    user: Option<&User>,
    outcome: Outcome,
    request_id: Option<&str>,
    new_hash: Option<&str>,
) -> Result<(), Fault> {
    let (word, token_id) = match outcome {
        Outcome::Success(token_id) => ("SUCCESS", uuid(&token_id.to_string())),
        Outcome::Failure => ("FAILURE", ParameterValue::DbNull),
    };
    let mut values = vec![
        user.map_or(ParameterValue::DbNull, |user| uuid(&user.id)),
        user.map_or(ParameterValue::DbNull, |user| text(&user.role)),
        token_id,
        text(word),
        request_id.map_or(ParameterValue::DbNull, text),
    ];
    let statement = match (user, new_hash) {
        (Some(user), Some(new_hash)) => {
            values.extend([text(new_hash), text(&user.password_hash)]);
            RECORD_AND_REPLACE
        }
        _ => RECORD,
    };
    database.execute(statement, values).await
}
