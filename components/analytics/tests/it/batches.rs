//! Batches: each event once, in whatever order it comes, and what is erased stays erased.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::store::{CREATED, DELETED, Event, Store, UPDATED};

#[tokio::test]
async fn an_event_counts_once_however_often_it_comes() {
    let store = Store::new().await;
    let event = Event::new(Uuid::new_v4(), 1, CREATED, "1990-05-06");
    let twice = [event.clone(), event.clone()];
    assert!(store.apply(&twice).await.is_empty());
    let once = store.projections().await;
    assert!(store.apply(&twice).await.is_empty());
    assert_eq!(store.projections().await, once);
    assert_eq!(store.number("SELECT count(*) FROM events").await, 1);
    let counted = "SELECT sum(events)::bigint FROM counts WHERE bucket = 'day'";
    assert_eq!(store.number(counted).await, 1);
    assert_eq!(store.number("SELECT sum(events)::bigint FROM latencies").await, 1);
}

#[tokio::test]
async fn an_empty_batch_changes_nothing() {
    let store = Store::new().await;
    assert!(store.apply(&[]).await.is_empty());
    assert_eq!(store.projections().await, "");
}

#[tokio::test]
async fn the_greatest_version_stands_whatever_comes_last() {
    let store = Store::new().await;
    let patient = Uuid::new_v4();
    let created = Event::new(patient, 1, CREATED, "1990-01-01");
    let second = Event::new(patient, 2, UPDATED, "1990-01-02");
    let fourth = Event::new(patient, 4, UPDATED, "1990-01-04");
    store.apply(&[fourth]).await;
    store.apply(&[second]).await;
    assert_eq!(store.patient(patient).await, Some((4, false, Some("1990-01-04".into()), 2)));
    store.apply(&[created]).await;
    assert_eq!(store.patient(patient).await, Some((4, false, Some("1990-01-04".into()), 3)));
    assert_eq!(births(&store).await, ["1990-01-04 1"]);
}

#[tokio::test]
async fn of_two_events_with_one_version_the_first_stands() {
    let store = Store::new().await;
    let patient = Uuid::new_v4();
    let first = Event::new(patient, 1, CREATED, "1990-01-01");
    let other = Event::new(patient, 1, CREATED, "1991-01-01");
    let fine = Event::new(patient, 2, UPDATED, "1992-01-01");
    let refused = store.apply(&[first.clone(), other.clone(), fine]).await;
    assert_eq!(refused, [other.id.to_string()]);
    assert_eq!(store.apply(&[other.clone(), first]).await, [other.id.to_string()]);
    assert_eq!(store.number("SELECT count(*) FROM events").await, 2);
}

#[tokio::test]
async fn deleting_a_patient_erases_what_was_kept_of_them() {
    let store = Store::new().await;
    let (gone, other) = (Uuid::new_v4(), Uuid::new_v4());
    let events = [
        Event::new(gone, 1, CREATED, "1990-01-01"),
        Event::new(gone, 2, UPDATED, "1990-01-01"),
        Event::new(other, 1, CREATED, "1990-01-01"),
    ];
    store.apply(&events).await;
    assert_eq!(store.kept_and_erased(gone).await, (2, 0));
    store.apply(&[Event::new(gone, 4, DELETED, "")]).await;
    assert_eq!(store.kept_and_erased(gone).await, (0, 3));
    assert_eq!(store.kept_and_erased(other).await, (1, 0));
    assert_eq!(store.patient(gone).await, Some((4, true, None, 3)));

    let late = Event::new(gone, 3, UPDATED, "1990-01-09");
    store.apply(&[late]).await;
    assert_eq!(store.kept_and_erased(gone).await, (0, 4), "what comes late is erased as well");
    assert_eq!(store.patient(gone).await, Some((4, true, None, 4)));
    assert_eq!(births(&store).await, ["1990-01-01 1"], "no row says that somebody was born then");
}

#[tokio::test]
async fn a_patient_may_come_and_go_within_one_batch() {
    let store = Store::new().await;
    let patient = Uuid::new_v4();
    let events = [
        Event::new(patient, 2, DELETED, ""),
        Event::new(patient, 1, CREATED, "1990-01-01"),
        Event::new(patient, 3, UPDATED, "1990-01-01"),
    ];
    store.apply(&events).await;
    assert_eq!(store.patient(patient).await, Some((3, true, None, 3)), "deletion is final");
    assert_eq!(store.kept_and_erased(patient).await, (0, 3));
    assert!(births(&store).await.is_empty());
}

#[tokio::test]
async fn a_batch_of_a_thousand_is_applied_whole_and_in_order() {
    let store = Store::new().await;
    let patients: Vec<Uuid> = (0..100).map(|_| Uuid::new_v4()).collect();
    let event = |n: usize| {
        let version = i64::try_from(n / patients.len()).unwrap() + 1;
        let kind = if version == 1 { CREATED } else { UPDATED };
        Event::new(patients[n % patients.len()], version, kind, "1990-01-01")
    };
    let events: Vec<Event> = (0..1000).map(event).collect();
    assert!(store.apply(&events).await.is_empty());
    let rows = store.rows("SELECT id FROM events ORDER BY seq", &[]).await;
    let stored: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(stored, events.iter().map(|event| event.id).collect::<Vec<_>>());
    assert_eq!(births(&store).await, ["1990-01-01 100"]);
}

#[tokio::test]
async fn a_reader_of_sequences_misses_nothing_while_batches_meet() {
    let store = Store::new().await;
    let (writers, batches, size) = (4, 20, 10);
    let write = |writer: Store| async move {
        for _ in 0..batches {
            let event = |_| Event::new(Uuid::new_v4(), 1, CREATED, "1990-01-01");
            writer.apply(&(0..size).map(event).collect::<Vec<_>>()).await;
        }
    };
    let mut writing = tokio::task::JoinSet::new();
    for _ in 0..writers {
        writing.spawn(write(store.again().await));
    }
    let (mut last, mut seen) = (0_i64, BTreeSet::new());
    while seen.len() < writers * batches * size {
        let query = "SELECT seq, id FROM events WHERE seq > $1 ORDER BY seq LIMIT 7";
        for row in store.rows(query, &[&last]).await {
            last = row.get(0);
            seen.insert(row.get::<_, Uuid>(1));
        }
        let all = "SELECT count(*) FROM events";
        if writing.is_empty() && store.number(all).await == i64::try_from(seen.len()).unwrap() {
            break;
        }
        while writing.try_join_next().is_some_and(|ended| ended.is_ok()) {}
    }
    assert_eq!(seen.len(), writers * batches * size);
}

#[tokio::test]
async fn the_event_store_only_grows() {
    let store = Store::new().await;
    let patient = Uuid::new_v4();
    store.apply(&[Event::new(patient, 1, CREATED, "1990-01-01")]).await;
    for statement in [
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE events SET version = 2",
        "UPDATE events SET name = 'x'",
        "UPDATE events SET name = NULL",
        "UPDATE events SET name = NULL, email = NULL, date_of_birth = NULL,
            registered_date = NULL, version = 2",
    ] {
        let error = store.client.batch_execute(statement).await.unwrap_err();
        let told = error.as_db_error().unwrap().message().to_owned();
        assert_eq!(told, "events only grow", "{statement}");
    }
}

/// Living patients by date of birth.
async fn births(store: &Store) -> Vec<String> {
    let query = "SELECT date_of_birth::text || ' ' || patients FROM births ORDER BY 1";
    store.rows(query, &[]).await.iter().map(|row| row.get(0)).collect()
}
