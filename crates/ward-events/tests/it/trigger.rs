//! The trigger: what a component is given, what happens to what it answers, and what is committed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::system::{
    Answer, Component, Delivered, Outbox, Patients, System, assert_in_order, consume, consume_for,
    on_each_log, read, send_raw, unique, until,
};
use ward_events::CallError;

const DAY: Duration = Duration::from_secs(24 * 3600);

on_each_log!(
    events_come_in_batches_and_in_order_and_a_restart_goes_on_where_it_was,
    a_retry_keeps_the_order_of_its_key_and_lets_the_others_go_on,
    rejected_unreadable_and_fatal_records_become_dead_letters,
    two_consumers_share_the_partitions_and_lose_nothing_when_one_leaves,
    partitions_that_come_back_are_fetched_from_again,
    a_slow_component_pauses_its_partition_and_loses_nothing,
    a_record_of_a_later_schema_is_read_as_far_as_it_is_known,
);

/// Events of `patients` patients, `versions` of each, in a topic of its own.
async fn filled(system: &System, patients: u32, versions: i64) -> String {
    let (outbox, topic) = (Outbox::new(system).await, system.topic(4).await);
    let relay = outbox.relay(system, &topic, DAY);
    let mut patients = Patients::new(&outbox, patients);
    for _ in 0..versions {
        patients.change().await;
    }
    outbox.drained().await;
    relay.stop().await;
    topic
}

fn done(batch: &[Delivered]) -> Vec<Answer> {
    batch.iter().map(|_| Answer::Done).collect()
}

async fn events_come_in_batches_and_in_order_and_a_restart_goes_on_where_it_was(system: &System) {
    let (topic, group) = (filled(system, 20, 5).await, unique("group"));
    let component = Component::willing();
    let trigger = consume(system, (&topic, &group), &component);
    let applied = component.has_applied(100).await;
    assert_eq!(applied.len(), 100);
    assert_in_order(&applied);
    trigger.stop().await;
    let calls = component.calls.lock().unwrap().clone();
    assert!(calls.len() < 100 && calls.iter().all(|batch| batch.len() <= 50));

    let later = Component::willing();
    let (outbox, patient) = (Outbox::new(system).await, Uuid::new_v4());
    let trigger = consume(system, (&topic, &group), &later);
    let relay = outbox.relay(system, &topic, DAY);
    outbox.write(patient, 1).await;
    let applied = later.has_applied(1).await;
    assert_eq!(applied[0].key, patient.to_string(), "what was answered for does not come again");
    assert_eq!(applied.len(), 1);
    relay.stop().await;
    trigger.stop().await;
}

async fn a_retry_keeps_the_order_of_its_key_and_lets_the_others_go_on(system: &System) {
    let topic = filled(system, 8, 4).await;
    let refused = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let component = Component::new(move |batch| {
        let mut refused = refused.lock().unwrap();
        let mut held = BTreeSet::new();
        Ok(batch
            .iter()
            .map(|delivered| {
                // Each version 2 is refused once, and what follows in its batch with it.
                let first = delivered.version == 2 && refused.insert(delivered.key.clone());
                if first || held.contains(&delivered.key) {
                    held.insert(delivered.key.clone());
                    Answer::Retry(100)
                } else {
                    Answer::Done
                }
            })
            .collect())
    });
    let trigger = consume(system, (&topic, &unique("group")), &component);
    let applied = component.has_applied(32).await;
    assert_in_order(&applied);
    assert!(trigger.handle.stats().retried.get() >= 8);
    assert_eq!(trigger.handle.stats().dead.get(), 0);
    trigger.stop().await;
}

async fn rejected_unreadable_and_fatal_records_become_dead_letters(system: &System) {
    let topic = filled(system, 6, 3).await;
    send_raw(system, &topic, "garbage", b"\xff\xff\xff").await;
    let victims: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let chosen = victims.clone();
    let component = Component::new(move |batch| {
        let mut chosen = chosen.lock().unwrap();
        for delivered in &batch {
            if chosen.len() < 2 && !chosen.contains(&delivered.key) {
                chosen.push(delivered.key.clone());
            }
        }
        // The first patient's version 2 is rejected, the second's takes the component down.
        let is = |at: usize, own: &Delivered| own.version == 2 && chosen.get(at) == Some(&own.key);
        if batch.iter().any(|own| is(1, own)) {
            return Err(CallError::Failed("trapped".to_owned()));
        }
        let answer = |own: &Delivered| match is(0, own) {
            true => Answer::Reject("not for us"),
            false => Answer::Done,
        };
        Ok(batch.iter().map(answer).collect())
    });
    let group = unique("group");
    // What fails while nothing else passes is given up when patience ends.
    let patience = Duration::from_secs(2);
    let trigger = consume_for(system.log(), (&topic, &group), &component, patience);
    let applied = component.has_applied(16).await;
    let dead = read(system, &format!("{topic}.dead-letter"), |seen| seen.len() >= 3).await;
    assert_eq!(dead.len(), 3, "{dead:?}");
    assert_eq!(applied.len(), 16, "18 events, of which two were given up");
    let reason = |key: &str| -> (String, String) {
        let letter = dead.iter().find(|letter| letter.key == key).unwrap();
        assert_eq!(letter.headers["ward-dead-component"], "analytics");
        assert_eq!(letter.headers["ward-dead-revision"], "rev-1");
        assert_eq!(letter.headers["ward-dead-topic"], topic);
        assert_eq!(letter.headers["ward-dead-group"], group);
        assert!(letter.headers["ward-dead-offset"].parse::<i64>().is_ok());
        (letter.headers["ward-dead-reason"].clone(), letter.headers["ward-dead-attempts"].clone())
    };
    let victims = victims.lock().unwrap().clone();
    assert_eq!(reason(&victims[0]), ("not for us".to_owned(), "1".to_owned()));
    assert!(reason(&victims[1]).0.contains("trapped"));
    assert!(reason("garbage").0.contains("cannot be read"));
    trigger.stop().await;
}

async fn two_consumers_share_the_partitions_and_lose_nothing_when_one_leaves(system: &System) {
    let (outbox, topic) = (Outbox::new(system).await, system.topic(4).await);
    let relay = outbox.relay(system, &topic, DAY);
    let (component, group) = (Component::willing(), unique("group"));
    let first = consume(system, (&topic, &group), &component);
    let mut patients = Patients::new(&outbox, 16);
    let written = patients.change().await;
    component.has_applied(written).await;
    let second = consume(system, (&topic, &group), &component);
    until("the second has partitions", async || {
        patients.change().await;
        (second.handle.stats().done.get() > 0).then_some(())
    })
    .await;
    let written = patients.change().await;
    component.has_applied(written).await;
    first.stop().await;
    let written = patients.change().await;
    let applied = component.has_applied(written).await;
    assert_eq!(applied.len(), written);
    assert_in_order(&applied);
    second.stop().await;
    relay.stop().await;
}

async fn partitions_that_come_back_are_fetched_from_again(system: &System) {
    let (outbox, topic) = (Outbox::new(system).await, system.topic(4).await);
    let relay = outbox.relay(system, &topic, DAY);
    let (component, group) = (Component::willing(), unique("group"));
    let first = consume(system, (&topic, &group), &component);
    let mut patients = Patients::new(&outbox, 16);
    let mut written = patients.change().await;
    component.has_applied(written).await;
    // Another takes some of its partitions, and goes without an answer for what came there.
    let idle = Component::slow(|_| Box::pin(std::future::pending()));
    let second = consume(system, (&topic, &group), &idle);
    until("the second has records", async || {
        written = patients.change().await;
        (second.handle.stats().calls.get() > 0).then_some(())
    })
    .await;
    outbox.drained().await;
    second.stop().await;
    let applied = component.has_applied(written).await;
    assert_eq!(applied.len(), written);
    assert_in_order(&applied);
    first.stop().await;
    relay.stop().await;
}

async fn a_slow_component_pauses_its_partition_and_loses_nothing(system: &System) {
    // More than a partition holds at once: four batches of 50.
    let (outbox, topic) = (Outbox::new(system).await, system.topic(1).await);
    let fill = "INSERT INTO outbox (aggregate_id, aggregate_version, type, payload) \
                SELECT gen_random_uuid(), 1, 'PATIENT_CREATED', '{\"name\": \"n\"}' \
                FROM generate_series(1, 1500)";
    outbox.client.batch_execute(fill).await.unwrap();
    let relay = outbox.relay(system, &topic, DAY);
    outbox.drained().await;
    let component = Component::slow(|batch| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(60)).await;
            Ok(done(&batch))
        })
    });
    let trigger = consume(system, (&topic, &unique("group")), &component);
    let applied = component.has_applied(1500).await;
    assert_eq!(applied.len(), 1500);
    let offsets: Vec<i64> = applied.iter().map(|delivered| delivered.offset).collect();
    assert!(offsets.is_sorted());
    trigger.stop().await;
    relay.stop().await;
}

async fn a_record_of_a_later_schema_is_read_as_far_as_it_is_known(system: &System) {
    let topic = system.topic(1).await;
    // Fields 1, 5 and 6 as of today; 100 and 101 are yet to come, a text and a number.
    let value = b"\x0a\x01p\x2a\x02e1\x30\x07\xa2\x06\x03new\xa8\x06\x09";
    send_raw(system, &topic, "p", value).await;
    let component = Component::willing();
    let trigger = consume(system, (&topic, &unique("group")), &component);
    let applied = component.has_applied(1).await;
    assert_eq!((&*applied[0].event_id, applied[0].version), ("e1", 7));
    assert_eq!(trigger.handle.stats().dead.get(), 0);
    trigger.stop().await;
}
