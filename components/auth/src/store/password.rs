//! Changing one's own password.

use kit::audit::Access;
use kit::database::{Database, Fault, text, uuid};
use kit::refusal::{self, Refused};
use spin_sdk::pg::ParameterValue;

/// What a change of password has to know of the caller.
pub(crate) struct Own {
    /// In its folded form.
    pub(crate) email: String,
    /// The hash of the password they have.
    pub(crate) hash: String,
}

const OWN: &str = "\
SELECT email, password_hash
  FROM users
 WHERE id = $1::uuid AND NOT disabled";

const REFUSED: &str = "\
INSERT INTO audit_log (actor, role, token_id, request_id, address, action, target, outcome)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text::inet, 'PASSWORD_CHANGE', $1::uuid,
    'FAILURE')";

/// The caller, if they still are a user.
pub(crate) async fn own(database: &Database, user: &str) -> Result<Option<Own>, Fault> {
    let rows = database.query(OWN, vec![uuid(user)]).await?;
    let own = |row: &kit::database::Row| Ok(Own { email: row.text(0)?, hash: row.text(1)? });
    rows.first().map(own).transpose()
}

/// Writes down that the old password was not right.
pub(crate) async fn refused(database: &Database, access: &Access<'_>) -> Result<(), Fault> {
    database.execute(REFUSED, access.values([])).await
}

/// Writes down that somebody has to wait before the old password is compared.
pub(crate) async fn too_early(database: &Database, access: &Access<'_>) -> Result<(), Fault> {
    let it = Refused { action: "PASSWORD_CHANGE", outcome: "TOO_MANY", operation: None, times: 1 };
    refusal::note(database, access, it).await
}

/// Puts the new hash in the place of the old one and ends all sessions but this. False where the
/// old one is no longer there.
pub(crate) async fn change(
    database: &Database,
    access: &Access<'_>,
    [old, new]: [&str; 2],
    session: Option<&str>,
) -> Result<bool, Fault> {
    let session = session.map_or(ParameterValue::DbNull, uuid);
    let values = access.values([text(old), text(new), session]);
    Ok(!database.query(include_str!("password.sql"), values).await?.is_empty())
}
