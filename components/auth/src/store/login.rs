//! What a login reads and writes: one statement before the password is compared, and one after,
//! whatever comes of it.

use kit::audit::{Access, optional};
use kit::database::{Database, Fault, text, uuid};
use kit::refusal::{self, Refused};
use spin_sdk::pg::ParameterValue;
use uuid::Uuid;

use crate::limits::{IDLE_SECONDS, SESSION_SECONDS};

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

/// A session that is to begin.
pub(crate) struct Beginning<'a> {
    /// Whose it is.
    pub(crate) user: &'a User,
    /// Its id.
    pub(crate) session: &'a str,
    /// The id of its first access token.
    pub(crate) token_id: Uuid,
    /// When that ends, in seconds of the Unix epoch.
    pub(crate) access_until: i64,
    /// The hash of its first refresh token.
    pub(crate) refresh_hash: Vec<u8>,
    /// The network address that it begins at.
    pub(crate) address: Option<&'a str>,
    /// The request's id.
    pub(crate) request_id: Option<&'a str>,
}

const FIND: &str = "\
SELECT id, role, password_hash, disabled
  FROM users
 WHERE email = $1::text AND deleted_at IS NULL";

/// The old hash guards the row: a password changed in between, or another login's new hash, stays.
const REPLACE_HASH: &str = "\
UPDATE users
   SET password_hash = $3::text, updated_at = now()
 WHERE id = $1::uuid AND password_hash = $2::text";

/// The user with this address, which must be in its folded form. A deleted user keeps its row but
/// not its address: a later user may have it.
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

/// Writes down that a login failed, or counts it where many do. The user is named where there is
/// one.
pub(crate) async fn refused(
    database: &Database,
    user: Option<&User>,
    access: &Access<'_>,
) -> Result<(), Fault> {
    let actor = user.map(|user| user.id.as_str());
    let role = user.map_or("", |user| user.role.as_str());
    refusal::note(database, &Access { actor, role, ..*access }, of("FAILURE")).await
}

/// The same of somebody who has to wait, and whom nothing was compared for.
pub(crate) async fn too_early(database: &Database, access: &Access<'_>) -> Result<(), Fault> {
    refusal::note(database, access, of("TOO_MANY")).await
}

fn of(outcome: &str) -> Refused<'_> {
    Refused { action: "LOGIN", outcome, operation: None, times: 1 }
}

/// Begins a session, unless the user is no longer as it was found: false then.
pub(crate) async fn begin(database: &Database, it: Beginning<'_>) -> Result<bool, Fault> {
    let values = vec![
        uuid(&it.user.id),
        text(&it.user.role),
        uuid(&it.token_id.to_string()),
        optional(it.request_id),
        uuid(it.session),
        text(&it.user.password_hash),
        ParameterValue::Binary(it.refresh_hash),
        ParameterValue::Int64(it.access_until),
        ParameterValue::Int64(IDLE_SECONDS),
        ParameterValue::Int64(SESSION_SECONDS),
        optional(it.address),
    ];
    Ok(!database.query(include_str!("login.sql"), values).await?.is_empty())
}

/// Replaces a hash by one of the same password that is as hashes should be.
pub(crate) async fn replace_hash(
    database: &Database,
    user: &User,
    new_hash: &str,
) -> Result<(), Fault> {
    let values = vec![uuid(&user.id), text(&user.password_hash), text(new_hash)];
    database.execute(REPLACE_HASH, values).await
}
