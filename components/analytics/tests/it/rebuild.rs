//! Rebuilding: what is projected anew equals what was projected event by event, and equals what a
//! few lines of Rust make of the same events.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::store::{CREATED, DELETED, ERASED, Event, Store, UPDATED, is_last};

/// Patients' lives: how many versions, whether the last is a deletion, and a day for each.
type Lives = Vec<(usize, bool, u32)>;

fn events(lives: &Lives) -> Vec<Event> {
    let mut events = Vec::new();
    for (versions, deleted, day) in lives {
        let patient = Uuid::new_v4();
        for version in 1..=*versions {
            let kind = match version {
                1 => CREATED,
                last if *deleted && last == *versions => [DELETED, ERASED][last % 2],
                _ => UPDATED,
            };
            // Some updates change the date of birth, and some do not.
            let born = format!("1990-01-{:02}", day + u32::try_from(version / 2).unwrap());
            events.push(Event::new(patient, i64::try_from(version).unwrap(), kind, &born));
        }
    }
    events
}

/// Deliveries of the events: the indices of each batch, and whether a rebuild goes on after it.
type Deliveries = Vec<(Vec<prop::sample::Index>, bool)>;

fn deliveries() -> impl Strategy<Value = Deliveries> {
    let batch = prop::collection::vec(any::<prop::sample::Index>(), 0..12);
    prop::collection::vec((batch, any::<bool>()), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Events in any order, some twice, some never, while a rebuild is under way: afterwards each
    /// patient is as the events say, and a rebuild changes nothing.
    #[test]
    fn rebuilt_equals_live_and_both_equal_the_events(
        lives in prop::collection::vec((1usize..5, any::<bool>(), 1u32..20), 1..5),
        deliveries in deliveries(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(&events(&lives), &deliveries));
    }
}

async fn check(events: &[Event], deliveries: &Deliveries) {
    // One database for all cases: each also sees what those before it left.
    static STORE: OnceCell<String> = OnceCell::const_new();
    let url = STORE.get_or_init(|| async { Store::new().await.url().to_owned() }).await;
    let store = Store::at(url).await;
    let mut known: BTreeMap<Uuid, BTreeSet<usize>> = BTreeMap::new();
    for (indices, rebuilding) in deliveries {
        let places: Vec<usize> = indices.iter().map(|index| index.index(events.len())).collect();
        let batch: Vec<Event> = places.iter().map(|place| events[*place].clone()).collect();
        assert!(store.apply(&batch).await.is_empty());
        for place in places {
            known.entry(events[place].patient).or_default().insert(place);
        }
        if *rebuilding {
            store.rebuild_step(5).await;
        }
    }
    for (patient, places) in &known {
        let events: Vec<&Event> = places.iter().map(|place| &events[*place]).collect();
        assert_eq!(store.patient(*patient).await, Some(expected(&events)));
        let gone = events.iter().any(|event| is_last(event.kind));
        let count = i64::try_from(events.len()).unwrap();
        let kept = if gone { (0, count) } else { (count, 0) };
        assert_eq!(store.kept_and_erased(*patient).await, kept);
    }
    let live = store.projections().await;
    store.rebuild(7).await;
    assert_eq!(store.projections().await, live);
    while store.remove_old(50).await > 0 {}
}

/// What the events of one patient come to.
fn expected(events: &[&Event]) -> (i64, bool, Option<String>, i64) {
    let last = events.iter().max_by_key(|event| event.version).unwrap();
    let deleted = events.iter().any(|event| is_last(event.kind));
    let born = last.born.clone().filter(|_| !deleted);
    (last.version, deleted, born, i64::try_from(events.len()).unwrap())
}

#[tokio::test]
async fn live_events_go_on_while_a_rebuild_is_made_by_several() {
    let store = Store::new().await;
    let patients: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
    let created = |patient: &Uuid| Event::new(*patient, 1, CREATED, "1990-01-01");
    store.apply(&patients.iter().map(created).collect::<Vec<_>>()).await;
    let mut working = tokio::task::JoinSet::new();
    for half in patients.chunks(10) {
        let (writer, half) = (store.again().await, half.to_vec());
        working.spawn(async move {
            for version in 2..30 {
                let born = format!("1990-01-{version:02}");
                let updated = |patient: &Uuid| Event::new(*patient, version, UPDATED, &born);
                writer.apply(&half.iter().map(updated).collect::<Vec<_>>()).await;
            }
        });
    }
    for _ in 0..2 {
        let builder = store.again().await;
        working.spawn(async move {
            for _ in 0..3 {
                builder.rebuild(15).await;
                builder.remove_old(100).await;
            }
        });
    }
    while let Some(ended) = working.join_next().await {
        ended.unwrap();
    }
    let live = store.projections().await;
    for patient in &patients {
        let expected = Some((29, false, Some("1990-01-29".to_owned()), 29));
        assert_eq!(store.patient(*patient).await, expected);
    }
    store.rebuild(1000).await;
    assert_eq!(store.projections().await, live);
}

#[tokio::test]
async fn old_generations_are_removed_and_the_live_one_is_not() {
    let store = Store::new().await;
    store.apply(&[Event::new(Uuid::new_v4(), 1, CREATED, "1990-01-01")]).await;
    let live = store.projections().await;
    assert_eq!(store.remove_old(10).await, 0);
    store.rebuild(10).await;
    store.apply(&[Event::new(Uuid::new_v4(), 1, CREATED, "1990-01-01")]).await;
    assert!(store.remove_old(10).await > 0);
    assert_eq!(store.remove_old(10).await, 0);
    assert_ne!(store.projections().await, live);
    assert_eq!(store.number("SELECT count(DISTINCT generation) FROM patients").await, 1);
}

#[tokio::test]
async fn a_rebuild_of_nothing_switches_at_once() {
    let store = Store::new().await;
    assert!(store.rebuild_step(10).await);
    assert_eq!(store.projections().await, "");
    assert_eq!(store.number("SELECT generation::bigint FROM projection").await, 2);
}

#[tokio::test]
async fn a_step_at_its_limit_is_not_the_last_one() {
    let store = Store::new().await;
    let events = |n: usize| -> Vec<Event> {
        (0..n).map(|_| Event::new(Uuid::new_v4(), 1, CREATED, "1990-01-01")).collect()
    };
    store.apply(&events(10)).await;
    assert!(!store.rebuild_step(10).await, "ten of ten, and more may have come meanwhile");
    assert!(store.rebuild_step(10).await);
    assert!(store.rebuild_step(11).await);
}
