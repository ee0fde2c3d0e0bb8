//! PostgreSQL from inside a guest, against a real server. What every type and error looks like is
//! tested beside the capability; here it is the whole way: guest, component boundary, pool.

use tokio::sync::OnceCell;
use ward_embedded::{Ephemeral, Postgres};

use super::host::{self, Host, quote};

/// One server for this binary. It ends with the process.
pub(crate) async fn server() -> &'static Ephemeral {
    static SERVER: OnceCell<Ephemeral> = OnceCell::const_new();
    SERVER.get_or_init(|| async { Postgres::ephemeral().await.unwrap() }).await
}

/// A probe that may open the server, and a new database's address.
async fn probe() -> (Host, String) {
    let server = server().await;
    let url = server.create_database().await.unwrap();
    (host::probe(&[format!("postgres://{}", server.host())]).load(), url)
}

async fn run(host: &Host, what: &str, url: &str, sql: &str) -> String {
    host.text("probe", &format!("/pg/{what}?url={}&sql={}", quote(url), quote(sql))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_back_the_blocking_way_and_as_a_stream() {
    let (host, url) = probe().await;
    let sql = "SELECT n, 'row ' || n FROM generate_series(1, 3) AS n";
    for what in ["query", "query-sync"] {
        let rows = run(&host, what, &url, sql).await;
        let rows: Vec<&str> = rows.strip_prefix("ok ").expect(&rows).lines().collect();
        assert_eq!(rows.len(), 3, "{what}: {rows:?}");
        assert!(rows[2].contains("Int32(3)") && rows[2].contains("\"row 3\""), "{what}: {rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_stream_through() {
    let (host, url) = probe().await;
    let sql = "SELECT n, repeat('x', 100) FROM generate_series(1, 20000) AS n";
    let rows = run(&host, "query", &url, sql).await;
    assert_eq!(rows.lines().count(), 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_transaction_is_rolled_back() {
    let (host, url) = probe().await;
    assert_eq!(run(&host, "execute", &url, "CREATE TABLE t (n int)").await, "ok 0");
    assert_eq!(run(&host, "execute", &url, "INSERT INTO t VALUES (1)").await, "ok 1");
    assert_eq!(run(&host, "abandon", &url, "INSERT INTO t VALUES (2)").await, "ok abandoned");
    assert_eq!(run(&host, "abandon", &url, "DELETE FROM t").await, "ok abandoned");
    let count = run(&host, "query", &url, "SELECT n FROM t").await;
    assert!(count.contains("Int32(1)") && !count.contains("Int32(2)"), "{count}");
    // Neither transaction still holds its locks.
    assert_eq!(run(&host, "execute", &url, "DROP TABLE t").await, "ok 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_listed_is_refused() {
    let (_, url) = probe().await;
    let elsewhere = host::probe(&["postgres://127.0.0.1:1".to_owned()]).load();
    for what in ["open", "query", "query-sync"] {
        let answer = run(&elsewhere, what, &url, "SELECT 1").await;
        assert!(answer.starts_with("error"), "{what}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_leaves_the_component_well() {
    let (host, url) = probe().await;
    let answer = run(&host, "query", &url, "SELECT * FROM nothing").await;
    assert!(answer.starts_with("error") && answer.contains("42P01"), "{answer}");
    assert!(run(&host, "query", &url, "SELECT 1").await.contains("Int32(1)"));
}
