//! One database and role per service, closed to the others.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use ward_embedded::ExistingRole::{KeepPassword, SetPassword};
use ward_embedded::{EmbeddedError, ExistingRole, Owner, Postgres, ensure_database};

use crate::{connect, value};

async fn ensure(
    admin: &Client,
    password: &str,
    existing: ExistingRole,
) -> Result<(), EmbeddedError> {
    ensure_database(admin, "auth", password, existing, Owner::Apart).await
}

#[tokio::test]
async fn services_are_kept_apart() {
    let server = Postgres::ephemeral().await.unwrap();
    let (auth, patients) =
        (server.create_database().await.unwrap(), server.create_database().await.unwrap());
    let client = connect(&auth).await.unwrap();
    client.batch_execute("CREATE TABLE users (id int)").await.unwrap();
    assert!(
        !value::<bool>(&client, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").await
    );
    let (server_part, _) = auth.rsplit_once('/').unwrap();
    let (_, other) = patients.rsplit_once('/').unwrap();
    let trespass = format!("{server_part}/{other}");
    let error = connect(&trespass).await.err().unwrap();
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    connect(&patients).await.unwrap();
}

#[tokio::test]
async fn ensuring_twice_and_at_once_is_safe() {
    let server = Postgres::ephemeral().await.unwrap();
    let admin = server.admin_url();
    let one = async || {
        let client = connect(&admin).await.unwrap();
        ensure(&client, "secret", KeepPassword).await
    };
    let (first, second, third) = tokio::join!(one(), one(), one());
    first.and(second).and(third).unwrap();
    let url = format!("postgres://auth:secret@{}/auth", server.host());
    let serving = connect(&url).await.unwrap();
    // The role that serves is not the one that owns, and cannot become it.
    let owner = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'auth'";
    assert_eq!(value::<String>(&serving, owner).await, "auth_owner");
    for sql in ["CREATE TABLE t (n int)", "SET ROLE auth_owner", "ALTER ROLE auth SUPERUSER"] {
        let error = serving.batch_execute(sql).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}");
    }
}

#[tokio::test]
async fn who_holds_the_lock_is_named_and_not_waited_for() {
    let server = Postgres::ephemeral().await.unwrap();
    let admin = connect(&server.admin_url()).await.unwrap();
    admin.batch_execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'").await.unwrap();
    let url = format!("postgres://stranger:stranger@{}/postgres", server.host());
    let stranger = connect(&url).await.unwrap();
    let lock = "SELECT pg_advisory_lock(hashtext('ward'), hashtext('auth'))";
    stranger.batch_execute(lock).await.unwrap();
    let ensured = ensure(&admin, "secret", KeepPassword).await;
    let error = ensured.unwrap_err();
    assert!(matches!(error, EmbeddedError::Provisioning(..)), "{error}");
    assert!(error.to_string().contains("the role stranger"), "{error}");
    drop(stranger);
    ensure(&admin, "secret", KeepPassword).await.unwrap();
}

#[tokio::test]
async fn a_kept_password_is_kept_and_a_set_one_is_set() {
    let server = Postgres::ephemeral().await.unwrap();
    let client = connect(&server.admin_url()).await.unwrap();
    let url = |password: &str| format!("postgres://auth:{password}@{}/auth", server.host());
    ensure(&client, "first", KeepPassword).await.unwrap();
    ensure(&client, "second", KeepPassword).await.unwrap();
    connect(&url("first")).await.unwrap();
    ensure(&client, "third", SetPassword).await.unwrap();
    connect(&url("third")).await.unwrap();
    let error = connect(&url("first")).await.err().unwrap();
    assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD));
}

#[tokio::test]
async fn an_administrator_need_not_be_superuser() {
    let server = Postgres::ephemeral().await.unwrap();
    let client = connect(&server.admin_url()).await.unwrap();
    let sql = "CREATE ROLE chief LOGIN CREATEDB CREATEROLE PASSWORD 'chief'";
    client.batch_execute(sql).await.unwrap();
    let url = format!("postgres://chief:chief@{}/postgres", server.host());
    let chief = connect(&url).await.unwrap();
    ensure(&chief, "secret", KeepPassword).await.unwrap();
    ensure(&chief, "secret", KeepPassword).await.unwrap();
    let url = format!("postgres://auth:secret@{}/auth", server.host());
    connect(&url).await.unwrap();
}
