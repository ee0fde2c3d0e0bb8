//! Databases and roles: one of each per service, by the same name, and a role that owns what is in
//! the database where the one that serves shall not. Works on any server, the embedded one or one
//! given by address. Passwords travel as SCRAM verifiers, so that no server
//! log can have them.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rand::Rng;
use rand::distr::Alphanumeric;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::error::EmbeddedError;

/// 32 letters and digits: 190 bits, and nothing that needs escaping in an address.
const PASSWORD_LENGTH: usize = 32;

/// All but what a URL leaves as it is anywhere (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How long another ward may take to make a database.
pub const LOCK_MAX: Duration = Duration::from_secs(15);

/// What to do with a role that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingRole {
    /// Give it the password: the server is ours alone.
    SetPassword,
    /// Leave it: others may be using it with the password it has.
    KeepPassword,
}

/// Who owns a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The role that logs in.
    Itself,
    /// [`owner_of`] it, as whom nobody logs in: an administrator takes that role on to migrate. Who
    /// serves cannot undo what protects its tables.
    Apart,
}

/// The role that owns a database [apart](Owner::Apart). PostgreSQL cuts names at 63 bytes.
#[must_use]
pub fn owner_of(name: &str) -> String {
    format!("{name}_owner")
}

/// The role that may prune a database, and do nothing else there.
#[must_use]
pub fn pruner_of(name: &str) -> String {
    format!("{name}_prune")
}

/// Makes sure that the role [`pruner_of`] a database that is there exists, may log in, and may
/// connect to it. Safe to call from several processes at once and again.
pub async fn ensure_pruner(
    admin: &Client,
    database: &str,
    password: &str,
    existing: ExistingRole,
) -> Result<(), EmbeddedError> {
    lock(admin, database).await?;
    let (name, database) = (pruner_of(database), database.to_owned());
    let result = async {
        ensure_login(admin, &name, password, existing).await?;
        let (role, of) = (quote_identifier(&name), quote_identifier(&database));
        admin.batch_execute(&format!("GRANT CONNECT ON DATABASE {of} TO {role}")).await?;
        Ok(())
    };
    let result = result.await;
    admin
        .execute("SELECT pg_advisory_unlock(hashtext('ward'), hashtext($1))", &[&database])
        .await?;
    result
}

/// A role that may log in with this password.
async fn ensure_login(
    admin: &Client,
    name: &str,
    password: &str,
    existing: ExistingRole,
) -> Result<(), EmbeddedError> {
    let role = quote_identifier(name);
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let there = exists(admin, "SELECT 1 FROM pg_roles WHERE rolname = $1", name).await?;
    let verb = if there { "ALTER" } else { "CREATE" };
    if !there || existing == ExistingRole::SetPassword {
        let sql = format!("{verb} ROLE {role} LOGIN NOSUPERUSER PASSWORD '{verifier}'");
        admin.batch_execute(&sql).await?;
    }
    Ok(())
}

/// Makes sure that a role `name` exists and may log in, and a database `name` to which nobody else
/// may connect. `admin` may create both. Safe to call from several processes at once and again. A
/// database that is there keeps its owner.
pub async fn ensure_database(
    admin: &Client,
    name: &str,
    password: &str,
    existing: ExistingRole,
    owner: Owner,
) -> Result<(), EmbeddedError> {
    // CREATE DATABASE knows no IF NOT EXISTS and several wards may be starting.
    lock(admin, name).await?;
    let result = ensure_locked(admin, name, password, existing, owner).await;
    admin.execute("SELECT pg_advisory_unlock(hashtext('ward'), hashtext($1))", &[&name]).await?;
    result
}

/// Takes the lock for a name. Whoever may connect to the same database can hold it, so it is not
/// waited for without end.
async fn lock(admin: &Client, name: &str) -> Result<(), EmbeddedError> {
    let most = LOCK_MAX.as_secs();
    admin.batch_execute(&format!("SET lock_timeout = '{most}s'")).await?;
    let locked =
        admin.execute("SELECT pg_advisory_lock(hashtext('ward'), hashtext($1))", &[&name]).await;
    admin.batch_execute("RESET lock_timeout").await?;
    match locked {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            Err(EmbeddedError::Provisioning(holder(admin, name).await?, name.to_owned()))
        }
        other => Ok(other.map(drop)?),
    }
}

/// Who has the lock, as far as may be known.
async fn holder(admin: &Client, name: &str) -> Result<String, EmbeddedError> {
    let sql = "SELECT format('the role %s (process %s)', a.usename, a.pid) \
        FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid \
        WHERE l.locktype = 'advisory' AND l.granted \
        AND l.classid = hashtext('ward')::oid AND l.objid = hashtext($1)::oid";
    let row = admin.query_opt(sql, &[&name]).await?;
    Ok(row.map_or("somebody".to_owned(), |row| row.get(0)))
}

async fn ensure_locked(
    admin: &Client,
    name: &str,
    password: &str,
    existing: ExistingRole,
    owner: Owner,
) -> Result<(), EmbeddedError> {
    let role = quote_identifier(name);
    ensure_login(admin, name, password, existing).await?;
    let owner = match owner {
        Owner::Itself => name.to_owned(),
        Owner::Apart => owner_of(name),
    };
    let owning = quote_identifier(&owner);
    if !exists(admin, "SELECT 1 FROM pg_roles WHERE rolname = $1", &owner).await? {
        admin.batch_execute(&format!("CREATE ROLE {owning} NOLOGIN NOSUPERUSER")).await?;
    }
    // An administrator who is no superuser may act only for roles it is a member of.
    for member in [name, &owner] {
        let sql = "SELECT 1 FROM pg_roles WHERE rolname = $1 AND pg_has_role(oid, 'MEMBER')";
        if !exists(admin, sql, member).await? {
            let member = quote_identifier(member);
            admin.batch_execute(&format!("GRANT {member} TO CURRENT_USER")).await?;
        }
    }
    if !exists(admin, "SELECT 1 FROM pg_database WHERE datname = $1", name).await? {
        admin.batch_execute(&format!("CREATE DATABASE {role} OWNER {owning}")).await?;
    }
    let closed = format!(
        "GRANT CONNECT ON DATABASE {role} TO {role}; REVOKE CONNECT ON DATABASE {role} FROM PUBLIC"
    );
    admin.batch_execute(&closed).await?;
    Ok(())
}

async fn exists(client: &Client, sql: &str, name: &str) -> Result<bool, EmbeddedError> {
    Ok(client.query_opt(sql, &[&name]).await?.is_some())
}

/// A new random password.
#[must_use]
pub fn generate_password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(PASSWORD_LENGTH).map(char::from).collect()
}

/// `postgres://user:password@host:port/database`, escaped: a secret.
#[must_use]
pub fn database_url(host_and_port: &str, user: &str, password: &str, database: &str) -> String {
    let (user, password, database) = (escape(user), escape(password), escape(database));
    format!("postgres://{user}:{password}@{host_and_port}/{database}")
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A name as SQL takes it whatever is in it.
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::{database_url, generate_password, quote_identifier};

    #[test]
    fn urls_are_escaped() {
        assert_eq!(
            database_url("127.0.0.1:5433", "shop", "p@ss/wörd", "shop"),
            "postgres://shop:p%40ss%2Fw%C3%B6rd@127.0.0.1:5433/shop"
        );
    }

    #[test]
    fn identifiers_are_quoted() {
        assert_eq!(quote_identifier("a\"; DROP"), "\"a\"\"; DROP\"");
    }

    #[test]
    fn passwords_are_long_and_differ() {
        assert_eq!(generate_password().len(), 32);
        assert_ne!(generate_password(), generate_password());
    }
}
