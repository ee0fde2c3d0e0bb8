//! The relay: what arrives, in which order, and what the table says then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::system::{Outbox, Seen, System, contract, on_each_log, read, until, version};
use ward_events::{ERASES, EventType};

const DAY: Duration = Duration::from_secs(24 * 3600);

on_each_log!(
    an_event_arrives_with_its_headers,
    events_of_one_aggregate_keep_their_order,
    a_row_that_can_never_be_sent_is_set_aside_and_holds_up_its_own_aggregate_only,
    what_was_published_is_removed_after_its_time,
    two_relays_share_the_work_and_one_takes_over_from_the_other,
    an_event_that_erases_leaves_nothing_of_those_before_it,
);

async fn an_event_arrives_with_its_headers(system: &System) {
    let (outbox, topic) = (Outbox::new(system).await, system.topic(3).await);
    let relay = outbox.relay(system, &topic, DAY);
    let patient = Uuid::new_v4();
    outbox.write_payload(patient, 1, &json!({"name": "Jane", "email": "j@example.com"})).await;
    let seen = read(system, &topic, |seen| !seen.is_empty()).await;
    assert_eq!(seen[0].key, patient.to_string());
    let id: Uuid = outbox.client.query_one("SELECT id FROM outbox", &[]).await.unwrap().get(0);
    let header = |name: &str| seen[0].headers[name].as_str();
    assert_eq!(header("ce_id"), id.to_string());
    assert_eq!(header("ce_type"), "PATIENT_UPDATED");
    assert_eq!(header("ce_source"), "/patients");
    assert_eq!(header("ce_subject"), patient.to_string());
    assert_eq!(header("ce_specversion"), "1.0");
    assert_eq!(header("content-type"), "application/protobuf");
    let event =
        EventType::derive(&contract(), "pms:patients/events@1.0.0", "patient-event").unwrap();
    let value = event.message().decode(&seen[0].value).unwrap();
    let shown = event.message().to_json(&value).unwrap();
    assert_eq!(shown["patientId"], patient.to_string());
    assert_eq!((&shown["name"], &shown["email"]), (&json!("Jane"), &json!("j@example.com")));
    assert_eq!(shown["eventId"], id.to_string());
    outbox.drained().await;
    relay.stop().await;
}

async fn events_of_one_aggregate_keep_their_order(system: &System) {
    let (outbox, topic) = (Outbox::new(system).await, system.topic(6).await);
    let patients: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
    let relay = outbox.relay(system, &topic, DAY);
    for number in 1..=10 {
        for patient in &patients {
            outbox.write(*patient, number).await;
        }
    }
    outbox.drained().await;
    let seen = read(system, &topic, |seen| seen.len() >= 200).await;
    assert_eq!(seen.len(), 200, "nothing comes twice when nothing fails");
    let event =
        EventType::derive(&contract(), "pms:patients/events@1.0.0", "patient-event").unwrap();
    let mut versions: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let mut partitions = BTreeSet::new();
    for record in &seen {
        let value = event.message().decode(&record.value).unwrap();
        versions.entry(&record.key).or_default().push(version(&value));
        partitions.insert(record.partition);
    }
    assert!(versions.values().all(|seen| *seen == (1..=10).collect::<Vec<i64>>()), "{versions:?}");
    assert!(partitions.len() > 1, "keys are spread over the partitions");
    relay.stop().await;
}

async fn a_row_that_can_never_be_sent_is_set_aside_and_holds_up_its_own_aggregate_only(
    system: &System,
) {
    let (outbox, topic) = (Outbox::new(system).await, system.topic(2).await);
    let (sick, sound, large) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    outbox.write(sick, 1).await;
    outbox.write_payload(sick, 2, &json!({"name": {"not": "a text"}})).await;
    outbox.write(sick, 3).await;
    outbox.write_payload(large, 1, &json!({"name": "x".repeat(1_000_001)})).await;
    outbox.write(sound, 1).await;
    let relay = outbox.relay(system, &topic, DAY);
    until("both are set aside", async || {
        let aside = outbox.count("failed_at IS NOT NULL AND failure <> ''").await;
        (aside == 2).then_some(())
    })
    .await;
    outbox.write(sound, 2).await;
    until("the sound one is published", async || {
        (outbox.count("published_at IS NOT NULL").await == 3).then_some(())
    })
    .await;
    let reason = outbox
        .client
        .query_one(
            "SELECT failure FROM outbox WHERE aggregate_version = 2 AND failed_at IS NOT NULL",
            &[],
        )
        .await
        .unwrap();
    let reason: String = reason.get(0);
    assert!(reason.contains("name") && !reason.contains("a text"), "{reason}");
    // Mended, it goes out, and what waited goes after it.
    let mend = "UPDATE outbox SET payload = '{\"name\": \"2\"}', failed_at = NULL \
                WHERE failed_at IS NOT NULL";
    outbox.client.execute(mend, &[]).await.unwrap();
    outbox.drained().await;
    assert_eq!(outbox.count("failed_at IS NOT NULL").await, 0);
    relay.stop().await;
}

async fn what_was_published_is_removed_after_its_time(system: &System) {
    let (outbox, topic) = (Outbox::new(system).await, system.topic(1).await);
    let relay = outbox.relay(system, &topic, Duration::ZERO);
    for _ in 0..5 {
        outbox.write(Uuid::new_v4(), 1).await;
    }
    until("the rows are gone", async || (outbox.count("true").await == 0).then_some(())).await;
    assert_eq!(read(system, &topic, |seen| seen.len() >= 5).await.len(), 5);
    relay.stop().await;
}

async fn two_relays_share_the_work_and_one_takes_over_from_the_other(system: &System) {
    let (outbox, topic) = (Outbox::new(system).await, system.topic(4).await);
    let first = outbox.relay(system, &topic, DAY);
    let second = outbox.relay(system, &topic, DAY);
    let sql = "SELECT count(relay), count(DISTINCT relay) FROM outbox_lane";
    let lanes = async || {
        let row = outbox.client.query_one(sql, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    until("each has a share", async || (lanes().await == (16, 2)).then_some(())).await;
    let patients: Vec<Uuid> = (0..32).map(|_| Uuid::new_v4()).collect();
    for number in 1..=5 {
        for patient in &patients {
            outbox.write(*patient, number).await;
        }
    }
    outbox.drained().await;
    let (one, two) = (first.handle.stats().sent.get(), second.handle.stats().sent.get());
    assert!(one > 0 && two > 0 && one + two >= 160, "{one} and {two}");
    first.stop().await;
    for patient in &patients {
        outbox.write(*patient, 6).await;
    }
    outbox.drained().await;
    // Events and not records: one that was sent and not marked yet comes again from another relay.
    let events = |seen: &[Seen]| {
        seen.iter().map(|record| (&record.key, &record.value)).collect::<BTreeSet<_>>().len()
    };
    let seen = read(system, &topic, |seen| events(seen) >= 192).await;
    let mut versions: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let event =
        EventType::derive(&contract(), "pms:patients/events@1.0.0", "patient-event").unwrap();
    for record in &seen {
        let version = version(&event.message().decode(&record.value).unwrap());
        let own = versions.entry(&record.key).or_default();
        if !own.contains(&version) {
            own.push(version);
        }
    }
    assert!(versions.values().all(|seen| *seen == (1..=6).collect::<Vec<i64>>()), "{versions:?}");
    second.stop().await;
}

async fn an_event_that_erases_leaves_nothing_of_those_before_it(system: &System) {
    let (outbox, topic) = (Outbox::new(system).await, system.topic(2).await);
    let (gone, other) = (Uuid::new_v4(), Uuid::new_v4());
    for patient in [gone, other] {
        outbox.write_payload(patient, 1, &json!({"name": "Jane", "email": "j@example.com"})).await;
    }
    let erase = "INSERT INTO outbox (aggregate_id, aggregate_version, type, payload) \
        VALUES ($1, 2, 'PATIENT_ERASED', '{}')";
    outbox.client.execute(erase, &[&gone]).await.unwrap();
    let relay = outbox.relay(system, &topic, DAY);
    // Once the table says that it was sent it is so.
    outbox.drained().await;
    let seen = read(system, &topic, |seen| seen.len() >= 3).await;
    let of = |patient: Uuid| {
        let own = seen.iter().filter(move |seen| seen.key == patient.to_string());
        own.map(|seen| (!seen.value.is_empty(), seen.headers.contains_key(ERASES)))
    };
    let kept = !system.log().forgets();
    assert_eq!(of(gone).collect::<Vec<_>>(), [(kept, false), (true, true)]);
    assert_eq!(of(other).collect::<Vec<_>>(), [(true, false)]);
    relay.stop().await;
}
