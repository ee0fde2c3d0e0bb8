//! The statements behind the answers: what they read of the projections, and the audit row each of
//! them leaves.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::store::{CREATED, DELETED, Event, Store, UPDATED};

/// Runs a statement as a caller, with further values.
async fn ask(store: &Store, statement: &str, more: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
    let actor = Uuid::nil();
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&actor, &"ADMIN", &"t", &"r", &"192.0.2.7"];
    values.extend(more);
    store.rows(statement, &values).await
}

/// The last audit row: action, outcome, patient, count.
async fn noted(store: &Store) -> (String, String, Option<Uuid>, Option<i32>) {
    let query = "SELECT action, outcome, patient_id, row_count FROM audit_log
        ORDER BY seq DESC LIMIT 1";
    let row = store.client.query_one(query, &[]).await.unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

#[tokio::test]
async fn ages_are_counted_as_of_today() {
    let store = Store::new().await;
    let births =
        ["2024-03-01", "2006-03-01", "2006-02-28", "2004-02-29", "1949-01-01", "1900-01-01"];
    let created = |born: &&str| Event::new(Uuid::new_v4(), 1, CREATED, born);
    store.apply(&births.iter().map(created).collect::<Vec<_>>()).await;
    // The parameter is a date; the test writes it as one.
    let statement =
        include_str!("../../src/store/summary.sql").replace("$6::date", "$6::text::date");
    let bounds: Vec<i64> = vec![18, 30, 45, 60, 75];
    let rows = ask(&store, &statement, &[&"2024-02-28", &bounds]).await;
    let mut found: Vec<(String, i64, i64)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    found.sort();
    // Born tomorrow, or 18 tomorrow: young. 18 today, or 20 on a day that this year lacks: not.
    let band = |band, count| ("BAND".to_owned(), band, count);
    let expected = [
        band(0, 2),
        band(1, 2),
        band(5, 2),
        ("PATIENT_CREATED".to_owned(), 0, 6),
        ("SEQUENCE".to_owned(), 0, 6),
    ];
    assert_eq!(found, expected);
    assert_eq!(noted(&store).await, ("SUMMARY".into(), "SUCCESS".into(), None, None));
}

#[tokio::test]
async fn the_most_active_come_first_and_one_event_is_no_activity() {
    let store = Store::new().await;
    let patients: Vec<Uuid> = (0..4).map(|_| Uuid::new_v4()).collect();
    for (place, patient) in patients.iter().enumerate() {
        let last = i64::try_from(place).unwrap() + 1;
        for version in 1..=last {
            let kind = if version == 4 { DELETED } else { UPDATED };
            store.apply(&[Event::new(*patient, version, kind, "1990-01-01")]).await;
        }
    }
    let most = include_str!("../../src/store/most_active.sql");
    let rows = ask(&store, most, &[&2_i64, &true]).await;
    let found: Vec<(Uuid, i64, bool)> =
        rows.iter().map(|row| (row.get(0), row.get(3), row.get(2))).collect();
    assert_eq!(found, [(patients[3], 4, true), (patients[2], 3, false)]);
    assert_eq!(noted(&store).await, ("ACTIVITY".into(), "SUCCESS".into(), None, Some(2)));
    assert_eq!(ask(&store, most, &[&10_i64, &true]).await.len(), 3);

    let one = include_str!("../../src/store/activity.sql");
    assert_eq!(ask(&store, one, &[&patients[0], &true]).await.len(), 1);
    let expected = ("ACTIVITY".into(), "SUCCESS".into(), Some(patients[0]), None);
    assert_eq!(noted(&store).await, expected);
    assert!(ask(&store, one, &[&Uuid::nil(), &true]).await.is_empty());
    assert_eq!(noted(&store).await.1, "NOT_FOUND");
}

#[tokio::test]
async fn every_bucket_of_a_span_is_there() {
    let store = Store::new().await;
    let patient = Uuid::new_v4();
    let at = |version, kind, at: &str| Event {
        occurred_at: at.to_owned(),
        ..Event::new(patient, version, kind, "1990-01-01")
    };
    let events = [
        at(1, CREATED, "2024-02-28T23:59:59.999999Z"),
        at(2, UPDATED, "2024-02-29T00:00:00Z"),
        at(3, UPDATED, "2024-02-29T05:00:00+05:00"),
        at(4, DELETED, "2024-03-01T00:00:00Z"),
    ];
    store.apply(&events).await;
    let check = async |bucket: &str, from: &str, to: &str, expected: &[&str]| {
        let statement = include_str!("../../src/store/timeline.sql");
        let rows = ask(&store, statement, &[&bucket, &from, &to]).await;
        let line = |row: &Row| {
            assert_eq!(*row.columns()[0].type_(), Type::TIMESTAMP);
            let numbers = [1, 2, 3].map(|column| row.get::<_, i64>(column).to_string());
            numbers.join(" ")
        };
        assert_eq!(rows.iter().map(line).collect::<Vec<_>>(), expected, "{bucket} {from} {to}");
    };
    let (first, last) = ("2024-02-28T00:00:00Z", "2024-03-01T00:00:00Z");
    check("day", first, last, &["1 0 0", "0 2 0"]).await;
    check("day", first, "2024-03-01T00:00:01Z", &["1 0 0", "0 2 0", "0 0 1"]).await;
    check("hour", "2024-02-28T23:00:00Z", "2024-02-29T02:00:00Z", &["1 0 0", "0 2 0", "0 0 0"])
        .await;
    check("minute", "2024-02-28T23:59:00Z", "2024-02-29T00:01:00Z", &["1 0 0", "0 2 0"]).await;
    assert_eq!(noted(&store).await, ("TIMELINE".into(), "SUCCESS".into(), None, Some(2)));
}

#[tokio::test]
async fn events_are_paged_by_their_sequence() {
    let store = Store::new().await;
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    let events: Vec<Event> = (1..=3)
        .flat_map(|version| [one, other].map(|id| Event::new(id, version, UPDATED, "1990-01-01")))
        .collect();
    store.apply(&events).await;
    let check = async |statement: &str, patient: Option<Uuid>, after: i64, expected: &[i64]| {
        let rows = ask(&store, statement, &[&patient, &after, &3_i64, &true]).await;
        let found: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(found, expected);
        let count = i32::try_from(expected.len()).unwrap().min(2);
        assert_eq!(noted(&store).await, ("EVENTS".into(), "SUCCESS".into(), patient, Some(count)));
    };
    let up = include_str!("../../src/store/events.sql");
    let down = include_str!("../../src/store/events_descending.sql");
    check(up, None, 0, &[1, 2, 3]).await;
    check(up, None, 5, &[6]).await;
    check(up, Some(other), 2, &[4, 6]).await;
    check(down, None, i64::MAX, &[6, 5, 4]).await;
    check(down, Some(one), 5, &[3, 1]).await;
    check(down, Some(Uuid::nil()), i64::MAX, &[]).await;
}

#[tokio::test]
async fn a_stream_begins_at_the_head_or_where_it_was() {
    let store = Store::new().await;
    let begin = async |after: i64| -> i64 {
        let statement = include_str!("../../src/store/stream_begin.sql");
        ask(&store, statement, &[&after]).await[0].get(0)
    };
    assert_eq!(begin(i64::MAX).await, 0);
    let event = |_| Event::new(Uuid::new_v4(), 1, CREATED, "1990-01-01");
    store.apply(&(0..3).map(event).collect::<Vec<_>>()).await;
    assert_eq!(begin(i64::MAX).await, 3);
    assert_eq!(begin(1).await, 1);
    assert_eq!(begin(0).await, 0);
    assert_eq!(noted(&store).await, ("STREAM".into(), "SUCCESS".into(), None, None));
    let look = include_str!("../../src/store/stream_look.sql");
    let rows = store.rows(look, &[&1_i64, &10_i64, &true]).await;
    assert_eq!(rows.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn nobody_hears_of_a_restricted_patient_who_may_not() {
    let store = Store::new().await;
    let (secret, other) = (Uuid::new_v4(), Uuid::new_v4());
    let event = |patient, version, restricted| {
        let event = Event::new(patient, version, UPDATED, "1990-01-01");
        Event { restricted, ..event }
    };
    let seen = async |sees: bool| -> [usize; 5] {
        let (one, most) = (
            include_str!("../../src/store/activity.sql"),
            include_str!("../../src/store/most_active.sql"),
        );
        let (up, down) = (
            include_str!("../../src/store/events.sql"),
            include_str!("../../src/store/events_descending.sql"),
        );
        let look = include_str!("../../src/store/stream_look.sql");
        let all: Option<Uuid> = None;
        [
            ask(&store, one, &[&secret, &sees]).await.len(),
            ask(&store, most, &[&10_i64, &sees]).await.len(),
            ask(&store, up, &[&all, &0_i64, &10_i64, &sees]).await.len(),
            ask(&store, down, &[&Some(secret), &i64::MAX, &10_i64, &sees]).await.len(),
            store.rows(look, &[&0_i64, &10_i64, &sees]).await.len(),
        ]
    };
    store.apply(&[event(secret, 1, false), event(other, 1, false), event(other, 2, false)]).await;
    assert_eq!(seen(false).await, seen(true).await);
    store.apply(&[event(secret, 2, true)]).await;
    assert_eq!(seen(true).await, [1, 2, 4, 2, 4]);
    assert_eq!(seen(false).await, [0, 1, 2, 0, 2]);
    // What is known of before, again, changes nothing; nor does a deletion.
    store.apply(&[event(secret, 1, false), Event::new(secret, 3, DELETED, "")]).await;
    assert_eq!(seen(false).await[0], 0);
    // In one batch the last version counts, wherever it is.
    store.apply(&[event(other, 4, false), event(other, 3, true)]).await;
    assert_eq!(seen(false).await[1], 1);
}

#[tokio::test]
async fn lag_is_a_histogram_of_the_last_minutes() {
    let store = Store::new().await;
    let lag = include_str!("../../src/store/lag.sql");
    let spans: Vec<i64> = vec![1, 60];
    assert!(ask(&store, lag, &[&spans]).await.is_empty());
    let event = |_| Event::new(Uuid::new_v4(), 1, CREATED, "1990-01-01");
    store.apply(&(0..3).map(event).collect::<Vec<_>>()).await;
    let rows = ask(&store, lag, &[&spans]).await;
    // The events are old, so each took longer than the last bound, and is counted there.
    let found: Vec<(i64, i64, i64)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(found, [(0, 0, 3), (1, 86_400_000, 3), (60, 86_400_000, 3)]);
}
