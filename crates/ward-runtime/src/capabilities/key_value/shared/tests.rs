//! A shared store between wards, each of which is a store of its own here, on a real PostgreSQL
//! whose connections are cut, stopped and refused.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::Client;

use super::super::laws_tests::server;
use super::super::limits::{ANSWER_MAX, BEAT, BELIEVED, HELD_PAIRS_MAX, RETRY_PAUSE};
use super::*;

/// The promise.
const LATE_MAX: Duration = Duration::from_secs(1);

/// Wards that share a store, and an administrator of its database.
struct Wards {
    one: SharedStore,
    two: SharedStore,
    admin: Client,
}

impl Wards {
    async fn new() -> Wards {
        let server = server().await;
        let address = Address::parse(&server.create_database().await.unwrap()).unwrap();
        let name = address.target().database().unwrap().to_owned();
        let ward = || SharedStore::new(Arc::new(address.clone()), "default");
        let admin_url = server.admin_url();
        let (place, _) = admin_url.rsplit_once('/').unwrap();
        let admin_address = Address::parse(&format!("{place}/{name}")).unwrap();
        let admin = ward_postgres::connect(&admin_address, ANSWER_MAX);
        Wards { one: ward(), two: ward(), admin: admin.await.unwrap() }
    }

    /// The processes of everybody's connections but the administrator's.
    async fn processes(&self) -> Vec<i32> {
        let sql = "SELECT pid FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.admin.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// When the wards last asked the database anything.
    async fn asked(&self) -> Option<String> {
        let sql = "SELECT max(query_start)::text FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid() \
            AND backend_type = 'client backend'";
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }
}

/// Waits until it is so, for as long as a value may be late.
async fn soon(what: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !what().await {
        assert!(started.elapsed() < LATE_MAX, "it takes too long");
        sleep(Duration::from_millis(2)).await;
    }
}

async fn has(store: &SharedStore, key: &str) -> bool {
    store.exists(key).await.unwrap()
}

fn signal(process: i32, name: &str) {
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args([name, &process.to_string()]).status().unwrap().success());
}

/// Stops the server's side of every connection that the wards have now, for as long as `work` goes
/// on.
async fn stopped<T>(wards: &Wards, work: impl Future<Output = T>) -> T {
    let processes = wards.processes().await;
    assert!(!processes.is_empty());
    processes.iter().for_each(|process| signal(*process, "-STOP"));
    let done = work.await;
    processes.iter().for_each(|process| signal(*process, "-CONT"));
    done
}

#[tokio::test]
async fn what_one_writes_the_other_reads_within_a_second() {
    let wards = Wards::new().await;
    for n in 0..20 {
        let key = format!("k{n}");
        assert!(!has(&wards.two, &key).await);
        wards.one.set(key.clone(), vec![n]).await.unwrap();
        soon(async || has(&wards.two, &key).await).await;
        wards.one.delete(key.clone()).await.unwrap();
        soon(async || !has(&wards.two, &key).await).await;
    }
}

#[tokio::test]
async fn a_reader_who_comes_after_a_second_reads_it_at_once() {
    let wards = Wards::new().await;
    assert!(!has(&wards.two, "k").await);
    wards.one.set("k".into(), vec![1]).await.unwrap();
    sleep(LATE_MAX).await;
    assert!(has(&wards.two, "k").await);
}

#[tokio::test]
async fn connections_that_were_ended_make_nothing_late() {
    let wards = Wards::new().await;
    assert!(!has(&wards.two, "k").await);
    for process in wards.processes().await {
        wards.admin.execute("SELECT pg_terminate_backend($1)", &[&process]).await.unwrap();
    }
    wards.one.set("k".into(), vec![1]).await.unwrap();
    soon(async || has(&wards.two, "k").await).await;
}

/// A connection that is open and says nothing, as one of a machine that stands still, or behind a
/// firewall that has forgotten it.
#[tokio::test]
async fn a_silent_connection_makes_nothing_late() {
    let wards = Wards::new().await;
    assert!(!has(&wards.two, "k").await);
    stopped(&wards, async {
        wards.one.set("k".into(), vec![1]).await.unwrap();
        let written = Instant::now();
        let mut seen = None;
        while seen.is_none() {
            if has(&wards.two, "k").await {
                seen = Some(written.elapsed());
            }
            sleep(Duration::from_millis(2)).await;
        }
        assert!(seen.is_some_and(|late| late < LATE_MAX), "{seen:?}");
    })
    .await;
}

/// What nobody was notified of is found all the same: the tables are changed by hand, as by a ward
/// that ended before anybody was told.
#[tokio::test]
async fn nothing_rests_on_notifications() {
    let wards = Wards::new().await;
    wards.one.set("k".into(), vec![1]).await.unwrap();
    assert!(has(&wards.two, "k").await);
    let silently = statements::REMOVE.replace("pg_notify('ward_key_value', '')::text", "NULL");
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&"default", &b"k".as_slice(), &REMOVED_KEPT];
    wards.admin.query(&silently, &values).await.unwrap();
    soon(async || !has(&wards.two, "k").await).await;
}

#[tokio::test]
async fn without_its_database_a_store_fails_and_tells_nothing_old() {
    let wards = Wards::new().await;
    wards.one.set("k".into(), vec![1]).await.unwrap();
    assert!(has(&wards.two, "k").await);
    let database: String =
        wards.admin.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
    let let_in = async |number: i32| {
        let sql = format!("ALTER DATABASE {database} CONNECTION LIMIT {number}");
        wards.admin.batch_execute(&sql).await.unwrap();
    };
    let_in(0).await;
    for process in wards.processes().await {
        wards.admin.execute("SELECT pg_terminate_backend($1)", &[&process]).await.unwrap();
    }
    sleep(BELIEVED).await;
    for store in [&wards.one, &wards.two] {
        assert_eq!(store.exists("k").await, Err(FAILED.to_owned()));
        assert_eq!(store.get("k").await, Err(FAILED.to_owned()));
        assert_eq!(store.set("k".into(), vec![2]).await, Err(FAILED.to_owned()));
        assert_eq!(store.delete("k".into()).await, Err(FAILED.to_owned()));
        assert_eq!(store.keys(None).await, Err(FAILED.to_owned()));
    }
    let_in(-1).await;
    sleep(RETRY_PAUSE * 2).await;
    assert_eq!(wards.two.get("k").await, Ok(Some(vec![1])));
}

/// A database that was put back to an earlier time, under wards that know a later one.
#[tokio::test]
async fn a_database_that_went_back_is_believed() {
    let wards = Wards::new().await;
    for n in 0..3 {
        wards.one.set(format!("k{n}"), vec![1]).await.unwrap();
    }
    assert!(has(&wards.one, "k2").await && has(&wards.two, "k2").await);
    let sql = "BEGIN; DELETE FROM pair WHERE version > 1; UPDATE store SET version = 1; COMMIT";
    wards.admin.batch_execute(sql).await.unwrap();
    for store in [&wards.one, &wards.two] {
        soon(async || !has(store, "k2").await).await;
        assert!(has(store, "k0").await);
    }
}

#[tokio::test]
async fn a_ward_that_missed_too_much_reads_everything() {
    let wards = Wards::new().await;
    wards.one.set("gone".into(), vec![1]).await.unwrap();
    assert!(has(&wards.two, "gone").await);
    // What was removed is forgotten by the database before the second ward looks again.
    let sql = "BEGIN; DELETE FROM pair; UPDATE store SET version = version + $1; COMMIT"
        .replace("$1", &(REMOVED_KEPT + 1).to_string());
    wards.admin.batch_execute(&sql).await.unwrap();
    soon(async || !has(&wards.two, "gone").await).await;
}

#[tokio::test]
async fn what_was_removed_is_forgotten_in_the_end() {
    let wards = Wards::new().await;
    for key in ["a", "b"] {
        wards.one.set(key.into(), vec![1]).await.unwrap();
    }
    wards.one.delete("a".into()).await.unwrap();
    wards.admin.batch_execute("UPDATE store SET version = version + 4096").await.unwrap();
    wards.one.delete("b".into()).await.unwrap();
    let rows = wards.admin.query("SELECT convert_from(key, 'UTF8') FROM pair", &[]).await.unwrap();
    let left: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(left, ["b"], "a was removed {REMOVED_KEPT} versions ago");
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_read_from_the_database() {
    let wards = Wards::new().await;
    assert!(!has(&wards.one, "0").await);
    let sql = "BEGIN; INSERT INTO pair (store, key, value, version) \
        SELECT 'default', n::text::bytea, n::text::bytea, n FROM generate_series(1, $1) AS n; \
        UPDATE store SET version = $1; COMMIT"
        .replace("$1", &(HELD_PAIRS_MAX + 2).to_string());
    wards.admin.batch_execute(&sql).await.unwrap();
    let last = (HELD_PAIRS_MAX + 2).to_string();
    soon(async || has(&wards.one, &last).await).await;
    assert_eq!(wards.one.shared.look(&last), Known::Value(last.as_bytes().into()));
    assert_eq!(wards.one.shared.look("1"), Known::Elsewhere, "the oldest did not fit");
    assert_eq!(wards.one.get("1").await, Ok(Some(b"1".to_vec())));
    assert!(has(&wards.one, "2").await && !has(&wards.one, "0").await);
    wards.one.delete("1".into()).await.unwrap();
    assert!(!has(&wards.one, "1").await);
}

#[tokio::test]
async fn nothing_is_asked_while_nobody_reads_and_little_while_many_do() {
    let wards = Wards::new().await;
    assert!(!has(&wards.one, "k").await);
    sleep(BEAT * 3).await;
    let before = wards.asked().await;
    assert!(before.is_some());
    sleep(BELIEVED * 2).await;
    assert_eq!(wards.asked().await, before, "nobody reads");
    let (until, mut asked) = (Instant::now() + BEAT * 10, BTreeSet::new());
    while Instant::now() < until {
        for _ in 0..100 {
            assert!(!has(&wards.one, "k").await);
        }
        asked.insert(wards.asked().await);
        sleep(Duration::from_millis(5)).await;
    }
    assert!((3..=13).contains(&asked.len()), "{} times in 10 beats", asked.len());
}

/// Whoever stands still in the middle of a change holds up others that change something, and no
/// reader, not even one that has to connect.
#[tokio::test]
async fn an_unfinished_change_makes_nothing_late() {
    let wards = Wards::new().await;
    wards.one.set("k".into(), vec![1]).await.unwrap();
    wards.admin.batch_execute("BEGIN; UPDATE store SET version = version + 1").await.unwrap();
    let lock = "LOCK TABLE pair IN ROW EXCLUSIVE MODE";
    wards.admin.batch_execute(lock).await.unwrap();
    for store in [&wards.one, &wards.two] {
        soon(async || has(store, "k").await).await;
        sleep(BELIEVED).await;
        soon(async || has(store, "k").await).await;
    }
    assert_eq!(wards.one.set("k".into(), vec![2]).await, Err(FAILED.to_owned()));
    wards.admin.batch_execute("ROLLBACK").await.unwrap();
    wards.one.set("k".into(), vec![2]).await.unwrap();
}

/// A guest that stands still while it reads holds up nobody else.
#[tokio::test]
async fn a_reader_that_stands_still_holds_up_nobody() {
    let wards = Wards::new().await;
    let mut still = std::pin::pin!(wards.one.exists("k"));
    assert!(futures::poll!(still.as_mut()).is_pending());
    assert!(!tokio::time::timeout(LATE_MAX, has(&wards.one, "k")).await.unwrap());
    let mut still = std::pin::pin!(wards.one.set("k".into(), vec![1]));
    assert!(futures::poll!(still.as_mut()).is_pending());
    wards.one.set("other".into(), vec![1]).await.unwrap();
    soon(async || has(&wards.two, "k").await).await;
}
