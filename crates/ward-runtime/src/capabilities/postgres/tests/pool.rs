//! Limits, what becomes of a connection after its handle, and the statement cache.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use ward_manifest::OutboundNetworking;
use ward_postgres::Address;

use super::{address, connected, database};
use crate::capabilities::bindings::postgres::{DbValue, Error, ParameterValue as P, QueryError};
use crate::capabilities::postgres::lease::Lease;
use crate::capabilities::postgres::pool::{PostgresService, Times};
use crate::networks::Networks;

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
    let service = PostgresService::with_times(Some(2), Arc::default(), impatient());
    let one = service.open(&address(&url)).await.unwrap();
    let _two = service.open(&address(&url)).await.unwrap();
    let Err(Error::ConnectionFailed(text)) = service.open(&address(&url)).await else {
        panic!("a third handle was opened");
    };
    assert!(text.contains("too many connections"), "{text}");
    drop(one);
    assert!(service.open(&address(&url)).await.is_ok());
}

#[tokio::test]
async fn connections_to_databases_count_among_all() {
    let url = database().await;
    let networks = Networks::new(OutboundNetworking {
        connections_max: Some(1),
        ..OutboundNetworking::default()
    });
    let service = PostgresService::with_times(None, networks.clone(), impatient());
    let held = networks.socket();
    let Err(Error::ConnectionFailed(text)) = service.open(&address(&url)).await else {
        panic!("a second connection was made");
    };
    assert!(text.contains("max_total_connections"), "{text}");
    drop(held);
    let lease = service.open(&address(&url)).await.unwrap();
    assert!(networks.socket().is_none());
    drop(lease);
}

/// Enough to connect to a server on this machine, and not to wait long for what does not come.
fn impatient() -> Times {
    Times { open: Duration::from_secs(2), ..Times::default() }
}

/// As many connections as an address may have.
async fn all_of(service: &PostgresService, address: &Arc<Address>, limit: usize) -> Vec<Lease> {
    let open = futures::stream::iter(0..limit / 4).then(|_| service.open(address));
    open.map(Result::unwrap).collect().await
}

/// A service and the limit of its server, which is a multiple of four here.
async fn limited() -> (Arc<PostgresService>, usize) {
    let service = PostgresService::with_times(None, Arc::default(), impatient());
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
async fn another_way_to_write_an_address_is_no_new_part() {
    let (service, limit) = limited().await;
    let url = database().await;
    let leases = all_of(&service, &address(&url), limit).await;
    let (head, place) = url.split_once('@').unwrap();
    let host = place.split('/').next().unwrap();
    for other in [
        format!("{url}?application_name=x"),
        format!("{url}?connect_timeout=3&options=-c%20work_mem=8MB"),
        url.replacen(host, &format!("{host},{host}"), 1),
        format!("{head}@{place}?hostaddr=127.0.0.1"),
    ] {
        let Err(Error::ConnectionFailed(text)) = service.open(&address(&other)).await else {
            panic!("one more for {other}");
        };
        assert!(text.contains("this database's share"), "{text}");
    }
    // Idle, they make room for one another, and no other database loses any.
    drop(leases);
    for n in 0..limit / 2 {
        drop(service.open(&address(&format!("{url}?application_name=x{n}"))).await.unwrap());
    }
    assert!(service.idle_count(&address(&url)) <= limit / 4 + 1);
}

#[tokio::test]
async fn whoever_has_another_password_gets_nobodys_connection() {
    let (service, url, lease) = connected().await;
    drop(lease);
    let password = url.split([':', '@']).nth(2).unwrap();
    let wrong = address(&url.replacen(password, "wrong", 1));
    assert_eq!(wrong.target(), address(&url).target());
    let Err(Error::ConnectionFailed(text)) = service.open(&wrong).await else {
        panic!("a connection was lent to one with the wrong password");
    };
    assert!(text.contains("28P01"), "{text}");
    assert_eq!(service.idle_count(&address(&url)), 1);
}

/// The server takes connections and says nothing; all that wait, wait together. The clock is the
/// test's own.
#[tokio::test(start_paused = true)]
async fn one_deadline_holds_for_all_of_opening() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let service = PostgresService::new(Some(3), Arc::default());
    let places = vec![format!("127.0.0.1:{port}"); 6].join(",");
    let url = address(&format!("postgres://u:p@{places}/d"));
    let start = tokio::time::Instant::now();
    let opened = futures::future::join_all((0..6).map(|_| service.open(&url))).await;
    assert!(opened.iter().all(Result::is_err));
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn what_nobody_uses_goes_away() {
    let times = Times {
        idle: Duration::from_millis(20),
        sweep: Duration::from_millis(10),
        ..Times::default()
    };
    let service = PostgresService::with_times(None, Arc::default(), times);
    let url = address(&database().await);
    let lease = service.open(&url).await.unwrap();
    let pid = lease.pid().await;
    drop(lease);
    eventually("the end of the pool", async || service.server_count() == 0).await;
    // The server has seen it go, too.
    let (_other, _, watcher) = connected().await;
    eventually("the end of the connection", async || {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1";
        matches!(watcher.value(count, &[P::Int32(pid)]).await, Ok(DbValue::Int64(0)))
    })
    .await;
    assert!(service.open(&url).await.is_ok());
}

#[tokio::test]
async fn all_addresses_of_a_server_share_its_limit() {
    let (service, limit) = limited().await;
    let urls = [(); 5].map(|()| database());
    let urls = futures::future::join_all(urls).await;
    let urls: Vec<Arc<Address>> = urls.iter().map(|url| address(url)).collect();
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
