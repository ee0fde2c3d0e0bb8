//! Limits, what becomes of a connection after its handle, and the statement cache.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;

use super::{address, connected, database};
use crate::capabilities::bindings::postgres::{DbValue, Error, ParameterValue as P, QueryError};
use crate::capabilities::postgres::address::Address;
use crate::capabilities::postgres::lease::Lease;
use crate::capabilities::postgres::pool::PostgresService;

/// Waits for what happens away from the guest's path.
async fn eventually<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    for _ in 0..500 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen in 5 s");
}

async fn idle(service: &PostgresService, url: &str, count: usize) {
    eventually("the connection's return", async || service.idle_count(&address(url)) == count)
        .await;
}

#[tokio::test]
async fn a_clean_connection_is_used_again_at_once() {
    let (service, url, lease) = connected().await;
    let pid = lease.pid().await;
    for _ in 0..3 {
        lease.query("SELECT lower('A')", &[]).await.unwrap();
    }
    drop(lease);
    // No waiting: a clean connection goes back in the drop itself.
    assert_eq!(service.idle_count(&address(&url)), 1);
    let again = service.open(&address(&url)).await.unwrap();
    assert_eq!(again.pid().await, pid);
}

#[tokio::test]
async fn an_open_transaction_is_rolled_back() {
    let (service, url, lease) = connected().await;
    lease.execute("CREATE TABLE t (a int)", &[]).await.unwrap();
    let pid = lease.pid().await;
    drop(lease);
    idle(&service, &url, 1).await;

    for broken in [false, true] {
        let lease = service.open(&address(&url)).await.unwrap();
        lease.execute("BEGIN", &[]).await.unwrap();
        lease.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
        if broken {
            assert!(lease.execute("SELECT 1 / 0", &[]).await.is_err());
        }
        drop(lease);
        idle(&service, &url, 1).await;
        let next = service.open(&address(&url)).await.unwrap();
        assert_eq!(next.pid().await, pid);
        assert!(matches!(next.value("SELECT count(*) FROM t", &[]).await, Ok(DbValue::Int64(0))));
        drop(next);
    }
}

#[tokio::test]
async fn a_finished_transaction_needs_no_clean_up() {
    let (service, url, lease) = connected().await;
    lease.execute("CREATE TABLE t (a int)", &[]).await.unwrap();
    drop(lease);
    idle(&service, &url, 1).await;
    for end in ["COMMIT", "ROLLBACK", "END"] {
        let lease = service.open(&address(&url)).await.unwrap();
        lease.execute("START TRANSACTION", &[]).await.unwrap();
        lease.execute("SAVEPOINT s", &[]).await.unwrap();
        lease.execute("INSERT INTO t VALUES ($1)", &[P::Int32(1)]).await.unwrap();
        lease.execute("ROLLBACK TO SAVEPOINT s", &[]).await.unwrap();
        lease.execute(end, &[]).await.unwrap();
        drop(lease);
        assert_eq!(service.idle_count(&address(&url)), 1, "{end}");
    }
}

#[tokio::test]
async fn session_state_does_not_reach_the_next_guest() {
    let (service, url, lease) = connected().await;
    let pid = lease.pid().await;
    for statement in [
        "SELECT set_config('search_path', 'pg_temp', false)",
        "SET timezone = 'Asia/Tokyo'",
        "SELECT pg_advisory_lock(7)",
        "LISTEN news",
        "CREATE TEMP TABLE mine (a int)",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    ] {
        lease.execute(statement, &[]).await.unwrap();
    }
    drop(lease);
    idle(&service, &url, 1).await;
    let next = service.open(&address(&url)).await.unwrap();
    assert_eq!(next.pid().await, pid);
    // Locks of the whole server are listed, and other tests hold some.
    let locks = "SELECT count(*) FROM pg_locks \
         WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    for (statement, expected) in [
        (locks, 0),
        ("SELECT count(*) FROM pg_listening_channels()", 0),
        ("SELECT count(*) FROM pg_cursors WHERE name = 'c'", 0),
        ("SELECT count(*) FROM pg_class WHERE relname = 'mine'", 0),
        ("SELECT count(*) FROM pg_settings WHERE source = 'session'", 0),
    ] {
        let value = next.value(statement, &[]).await.unwrap();
        assert!(
            matches!(value, DbValue::Int64(count) if count == expected),
            "{statement} {value:?}"
        );
    }
}

#[tokio::test]
async fn a_guests_own_prepared_statements_end_the_connection() {
    let (service, url, lease) = connected().await;
    let pid = lease.pid().await;
    lease.execute("PREPARE mine AS SELECT 1", &[]).await.unwrap();
    drop(lease);
    let next = service.open(&address(&url)).await.unwrap();
    assert_ne!(next.pid().await, pid);
}

#[tokio::test]
async fn a_query_given_up_half_way_does_not_return_its_connection() {
    let (service, url, lease) = connected().await;
    let pid = lease.pid().await;
    let sleep = lease.query("SELECT pg_sleep(60)", &[]);
    assert!(tokio::time::timeout(Duration::from_millis(100), sleep).await.is_err());
    drop(lease);
    let next = service.open(&address(&url)).await.unwrap();
    assert_ne!(next.pid().await, pid);
    // The server was told to stop, and did.
    eventually("the cancelled backend's end", async || {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1";
        matches!(next.value(count, &[P::Int32(pid)]).await, Ok(DbValue::Int64(0)))
    })
    .await;
    assert_eq!(service.idle_count(&address(&url)), 0);
}

#[tokio::test]
async fn a_connection_the_server_ended_is_replaced() {
    let (service, url, lease) = connected().await;
    let other = service.open(&address(&url)).await.unwrap();
    let pid = lease.pid().await;
    drop(lease);
    let end = other.value("SELECT pg_terminate_backend($1)", &[P::Int32(pid)]).await;
    assert!(matches!(end, Ok(DbValue::Boolean(true))));
    let gone = async || {
        let next = service.open(&address(&url)).await.unwrap();
        next.value("SELECT 1", &[]).await.is_ok() && next.pid().await != pid
    };
    eventually("the replacement", gone).await;
}

#[tokio::test]
async fn the_limit_holds_and_says_so() {
    let url = database().await;
    let service = PostgresService::with_wait(Some(2), Arc::default(), Duration::from_millis(200));
    let one = service.open(&address(&url)).await.unwrap();
    let _two = service.open(&address(&url)).await.unwrap();
    let Err(Error::ConnectionFailed(text)) = service.open(&address(&url)).await else {
        panic!("a third handle was opened");
    };
    assert!(text.contains("too many connections"), "{text}");
    drop(one);
    assert!(service.open(&address(&url)).await.is_ok());
}

/// As many connections as an address may have.
async fn all_of(service: &PostgresService, address: &Address, limit: usize) -> Vec<Lease> {
    let open = futures::stream::iter(0..limit / 4).then(|_| service.open(address));
    open.map(Result::unwrap).collect().await
}

/// A service and the limit of its server, which is a multiple of four here.
async fn limited() -> (Arc<PostgresService>, usize) {
    let service = PostgresService::with_wait(None, Arc::default(), Duration::from_millis(200));
    let url = address(&database().await);
    drop(service.open(&url).await.unwrap());
    let limit = service.limit_of(&url).unwrap();
    assert!((4..=64).contains(&limit) && limit.is_multiple_of(4), "{limit}");
    (service, limit)
}

#[tokio::test]
async fn an_address_has_a_part_of_its_servers_share() {
    let (service, limit) = limited().await;
    let (url, other) = (address(&database().await), address(&database().await));
    let leases = all_of(&service, &url, limit).await;
    let Err(Error::ConnectionFailed(text)) = service.open(&url).await else {
        panic!("an address got more than its part");
    };
    assert!(text.contains("this database's share"), "{text}");
    assert!(service.open(&other).await.is_ok());
    drop(leases);
    assert!(service.open(&url).await.is_ok());
}

#[tokio::test]
async fn all_addresses_of_a_server_share_its_limit() {
    let (service, limit) = limited().await;
    let urls = [(); 5].map(|()| database());
    let urls = futures::future::join_all(urls).await;
    let urls: Vec<Address> = urls.iter().map(|url| address(url)).collect();
    let mut leases = Vec::new();
    for url in &urls[..4] {
        leases.extend(all_of(&service, url, limit).await);
    }
    let Err(Error::ConnectionFailed(text)) = service.open(&urls[4]).await else {
        panic!("the server's share was passed");
    };
    assert!(text.contains("this server's share"), "{text}");
    // All idle now, and all places taken; the fifth gets one all the same.
    drop(leases);
    let idle = || service.idle_count(&urls[0]);
    assert_eq!(idle(), limit);
    let lease = service.open(&urls[4]).await.unwrap();
    assert_eq!(idle(), limit - 1);
    drop(lease);
}

#[tokio::test]
async fn statements_are_prepared_once_for_each_connection() {
    let (service, url, lease) = connected().await;
    let statement = "SELECT $1::int4 + 1";
    for n in 0..3 {
        let value = lease.value(statement, &[P::Int32(n)]).await.unwrap();
        assert!(matches!(value, DbValue::Int32(m) if m == n + 1));
    }
    drop(lease);
    let lease = service.open(&address(&url)).await.unwrap();
    lease.value(statement, &[P::Int32(1)]).await.unwrap();
    let count = "SELECT count(*) FROM pg_prepared_statements WHERE statement = $1";
    let prepared = lease.value(count, &[P::Str(statement.into())]).await.unwrap();
    assert!(matches!(prepared, DbValue::Int64(1)), "{prepared:?}");
}

#[tokio::test]
async fn the_statement_cache_is_bounded() {
    let (_service, _, lease) = connected().await;
    for n in 0..300 {
        lease.value(&format!("SELECT {n}"), &[]).await.unwrap();
    }
    let count = "SELECT count(*) FROM pg_prepared_statements";
    let prepared = lease.value(count, &[]).await.unwrap();
    assert!(matches!(prepared, DbValue::Int64(100..=129)), "{prepared:?}");
}

#[tokio::test]
async fn a_cached_statement_follows_its_table() {
    let (service, url, lease) = connected().await;
    lease.execute("CREATE TABLE t (a int)", &[]).await.unwrap();
    assert_eq!(lease.query("SELECT * FROM t", &[]).await.unwrap().columns.len(), 1);
    let other = service.open(&address(&url)).await.unwrap();
    other.execute("ALTER TABLE t ADD COLUMN b text", &[]).await.unwrap();
    assert_eq!(lease.query("SELECT * FROM t", &[]).await.unwrap().columns.len(), 2);
    lease.execute("DEALLOCATE ALL", &[]).await.unwrap();
    assert_eq!(lease.query("SELECT * FROM t", &[]).await.unwrap().columns.len(), 2);
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_an_error() {
    let (_service, _, lease) = connected().await;
    let rows = "SELECT repeat('x', 1000) FROM generate_series(1, 100)";
    assert!(lease.query_within(200_000, rows, &[]).await.is_ok());
    let error = lease.query_within(50_000, rows, &[]).await.unwrap_err();
    assert!(matches!(error, Error::QueryFailed(QueryError::Text(text)) if text.contains("50000")));
}

#[tokio::test]
async fn rows_stream_and_an_early_end_keeps_the_handle_usable() {
    let (service, url, lease) = connected().await;
    let statement = "SELECT n, 1 / (5000 - n) FROM generate_series(1, 6000) AS s(n)";
    let (columns, mut rows) = lease.stream(statement, &[]).await.unwrap();
    assert_eq!(columns.len(), 2);
    for n in 1..5000 {
        let row = std::future::poll_fn(|cx| rows.poll_next(cx)).await.unwrap().unwrap();
        assert!(matches!(row[0], DbValue::Int32(m) if m == n));
    }
    let error = std::future::poll_fn(|cx| rows.poll_next(cx)).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::QueryFailed(QueryError::DbError(e)) if e.code == "22012"));
    assert!(std::future::poll_fn(|cx| rows.poll_next(cx)).await.is_none());
    drop(rows);

    let (_, rows) = lease.stream("SELECT generate_series(1, 100000)", &[]).await.unwrap();
    drop(rows);
    assert!(matches!(lease.value("SELECT 1", &[]).await, Ok(DbValue::Int32(1))));
    assert_eq!(Arc::strong_count(&lease), 1);
    drop(lease);
    assert_eq!(service.idle_count(&address(&url)), 0);
}
