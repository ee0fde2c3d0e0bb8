//! Users as administrators and they themselves keep them.
//!
//! A change that no row answered to was refused; why is found out by a second statement, which also
//! writes the refusal down. What the database refuses by itself (a taken address, the last
//! administrator) has undone its statement with the audit row in it.

use kit::audit::Access;
use kit::database::{self, Database, Fault, Row, text, uuid};
use kit::date;
use kit::etag::Expected;
use serde::Serialize;
use spin_sdk::pg::ParameterValue;

use crate::bodies::{Kept, Profile};

/// The unique index of addresses.
const EMAIL_INDEX: &str = "users_email_key";
/// What the database says to whoever would leave no administrator.
const LAST_ADMINISTRATOR: &str = "WA001";
/// The id before all others, which no user has.
const BEFORE_ALL: &str = "00000000-0000-0000-0000-000000000000";

/// A user as the API shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    pub(crate) id: String,
    #[cfg_attr(test, schemars(extend("format" = "email")))]
    pub(crate) email: String,
    /// Nobody has said it of users from before there were names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) role: String,
    pub(crate) disabled: bool,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub(crate) created_at: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub(crate) updated_at: String,
    /// In the entity tag.
    #[serde(skip)]
    pub(crate) version: i64,
}

impl User {
    /// Reads a row of `id, email, name, role, disabled, version, created, updated`.
    fn from_row(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.uuid(0)?,
            email: row.text(1)?,
            name: row.get(2)?,
            role: row.text(3)?,
            disabled: row.get(4)?,
            version: row.bigint(5)?,
            created_at: date::format_instant(row.instant(6)?),
            updated_at: date::format_instant(row.instant(7)?),
        })
    }
}

/// What an administrator says of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// In its folded form.
    pub(crate) email: String,
    /// What it was, where there is none.
    pub(crate) name: Option<String>,
    pub(crate) role: String,
}

/// Which users are meant. All that are given have to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    /// The whole address, in its folded form.
    pub(crate) email: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) disabled: Option<bool>,
}

/// Why a change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such user, or no longer.
    NotFound,
    /// `If-Match` or `If-None-Match` does not hold for the present version.
    Stale,
    /// Another user has the address.
    EmailTaken,
    /// This field was sent with another value than the one that stays.
    Fixed(&'static str),
    /// Nobody can get this address.
    NoAddress,
    /// Nobody could make an administrator any more.
    LastAdministrator,
}

/// A change, made or refused.
pub(crate) type Outcome<T> = Result<T, Refusal>;

/// Adds a user.
pub(crate) async fn create(
    database: &Database,
    access: &Access<'_>,
    draft: &Draft,
    hash: &str,
) -> Result<Outcome<User>, Fault> {
    let values =
        access.values([text(&draft.email), optional(&draft.name), text(&draft.role), text(hash)]);
    let rows = database.query(include_str!("create.sql"), values).await;
    let attempt = Attempt::new("USER_CREATE", None, &Expected::default());
    changed(database, access, attempt, rows).await
}

/// A user who was not deleted.
pub(crate) async fn read(
    database: &Database,
    access: &Access<'_>,
    id: &str,
    action: &str,
) -> Result<Option<User>, Fault> {
    let values = access.values([uuid(id), text(action)]);
    let rows = database.query(include_str!("read.sql"), values).await?;
    rows.first().map(User::from_row).transpose()
}

/// A page of users in order of their ids, and whether another follows.
pub(crate) async fn list(
    database: &Database,
    access: &Access<'_>,
    filters: &Filters,
    limit: u32,
    after: Option<&str>,
) -> Result<(Vec<User>, bool), Fault> {
    let values = access.values([
        ParameterValue::Int64(i64::from(limit) + 1),
        uuid(after.unwrap_or(BEFORE_ALL)),
        optional(&filters.email),
        optional(&filters.role),
        filters.disabled.map_or(ParameterValue::DbNull, ParameterValue::Boolean),
    ]);
    let rows = database.query(include_str!("list.sql"), values).await?;
    let mut users = rows.iter().map(User::from_row).collect::<Result<Vec<_>, _>>()?;
    let more = kit::page::cut(&mut users, limit);
    Ok((users, more))
}

/// What a user becomes.
pub(crate) struct Replacement<'a> {
    pub(crate) id: &'a str,
    pub(crate) draft: &'a Draft,
    pub(crate) disabled: bool,
    /// The hash of a new password, where there is one.
    pub(crate) hash: Option<&'a str>,
    pub(crate) expected: &'a Expected,
    pub(crate) kept: &'a Kept,
}

/// A change, as it is written down when it was not made.
struct Attempt<'a> {
    action: &'a str,
    id: Option<&'a str>,
    /// Which versions it was to be made to.
    versions: [ParameterValue; 2],
    kept: Kept,
    /// What is wrong with another address than the stored one.
    other_email: Refusal,
}

impl<'a> Attempt<'a> {
    fn new(action: &'a str, id: Option<&'a str>, expected: &Expected) -> Self {
        let versions = database::versions(expected);
        Self { action, id, versions, kept: Kept::default(), other_email: Refusal::Fixed("email") }
    }
}

fn optional(value: &Option<String>) -> ParameterValue {
    value.as_deref().map_or(ParameterValue::DbNull, text)
}

/// As parameters for two `$n::text`: address and moment.
fn kept(it: &Kept) -> [ParameterValue; 2] {
    [optional(&it.email), optional(&it.created_at)]
}

/// Replaces what is known of a user. Who is disabled, gets another role or a new password has no
/// session after that.
pub(crate) async fn replace(
    database: &Database,
    access: &Access<'_>,
    it: &Replacement<'_>,
) -> Result<Outcome<User>, Fault> {
    let values = access.values(
        [
            uuid(it.id),
            text(&it.draft.email),
            optional(&it.draft.name),
            text(&it.draft.role),
            ParameterValue::Boolean(it.disabled),
            it.hash.map_or(ParameterValue::DbNull, text),
        ]
        .into_iter()
        .chain(database::versions(it.expected))
        .chain(kept(it.kept)),
    );
    let rows = database.query(include_str!("replace.sql"), values).await;
    let attempt = Attempt {
        kept: it.kept.clone(),
        other_email: Refusal::NoAddress,
        ..Attempt::new("USER_UPDATE", Some(it.id), it.expected)
    };
    changed(database, access, attempt, rows).await
}

/// Deletes a user: the row stays for those who read the audit log, and nobody else finds it.
pub(crate) async fn delete(
    database: &Database,
    access: &Access<'_>,
    id: &str,
    expected: &Expected,
) -> Result<Outcome<User>, Fault> {
    let versions = database::versions(expected);
    let values = access.values([uuid(id)].into_iter().chain(versions));
    let rows = database.query(include_str!("delete.sql"), values).await;
    changed(database, access, Attempt::new("USER_DELETE", Some(id), expected), rows).await
}

/// Changes what users may change of themselves.
pub(crate) async fn profile(
    database: &Database,
    access: &Access<'_>,
    own: &Profile,
    expected: &Expected,
) -> Result<Outcome<User>, Fault> {
    let conditions = database::versions(expected).into_iter().chain(kept(&own.kept));
    let values = access.values([optional(&own.name)].into_iter().chain(conditions));
    let rows = database.query(include_str!("profile.sql"), values).await;
    let attempt = Attempt::new("PROFILE_UPDATE", access.actor, expected);
    changed(database, access, Attempt { kept: own.kept.clone(), ..attempt }, rows).await
}

/// What a change has become: its row, or the reason why there is none, which is written down.
async fn changed(
    database: &Database,
    access: &Access<'_>,
    attempt: Attempt<'_>,
    rows: Result<Vec<Row>, Fault>,
) -> Result<Outcome<User>, Fault> {
    let known = match rows {
        Ok(rows) => match rows.first() {
            Some(row) => return Ok(Ok(User::from_row(row)?)),
            None => None,
        },
        Err(Fault::Duplicate(index)) if index == EMAIL_INDEX => Some(Refusal::EmailTaken),
        Err(fault) if fault.cause() == LAST_ADMINISTRATOR => Some(Refusal::LastAdministrator),
        Err(fault) => return Err(fault),
    };
    let what = [attempt.id.map_or(ParameterValue::DbNull, uuid), text(attempt.action)];
    let conditions = attempt.versions.into_iter().chain(kept(&attempt.kept));
    let values = access.values(what.into_iter().chain(conditions));
    let rows = database.query(include_str!("refusal.sql"), values).await?;
    let verdict = rows.first().map(|row| row.text(0)).transpose()?;
    let found_out = match verdict.as_deref() {
        Some("email") => attempt.other_email,
        Some("createdAt") => Refusal::Fixed("createdAt"),
        Some("STALE") => Refusal::Stale,
        _ => Refusal::NotFound,
    };
    Ok(Err(known.unwrap_or(found_out)))
}
