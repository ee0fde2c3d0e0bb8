//! The throwaway server goes away, and its log keeps what it must not tell.

use std::fs;

use ward_embedded::Postgres;

use crate::{connect, value};

#[tokio::test]
async fn nothing_is_left_when_it_is_dropped() {
    let server = Postgres::ephemeral().await.unwrap();
    let (url, directory) = (server.admin_url(), server.directory().to_owned());
    connect(&url).await.unwrap();
    drop(server);
    assert!(connect(&url).await.is_err());
    assert!(!directory.exists());
}

#[tokio::test]
async fn text_is_unicode_and_ordered_by_code_point() {
    let server = Postgres::ephemeral().await.unwrap();
    let client = connect(&server.create_database().await.unwrap()).await.unwrap();
    assert_eq!(value::<String>(&client, "SELECT lower('ÄÖÜ')").await, "äöü");
    assert!(value::<bool>(&client, "SELECT 'Z' < 'a'").await);
    assert_eq!(value::<String>(&client, "SHOW data_checksums").await, "on");
    assert_eq!(value::<String>(&client, "SHOW TimeZone").await, "UTC");
}

#[tokio::test]
async fn the_log_has_no_values() {
    let server = Postgres::ephemeral().await.unwrap();
    let client = connect(&server.create_database().await.unwrap()).await.unwrap();
    client.batch_execute("CREATE TABLE t (email text UNIQUE, id uuid)").await.unwrap();
    let insert = "INSERT INTO t (email) VALUES ('jane.roe@example.com')";
    client.batch_execute(insert).await.unwrap();
    client.batch_execute(insert).await.unwrap_err();
    client.batch_execute("SELECT 'jane.roe'::uuid").await.unwrap_err();
    let log = fs::read_to_string(server.directory().join("log")).unwrap();
    assert!(log.contains("database system is ready"), "{log}");
    assert!(!log.contains("jane"), "{log}");
}
