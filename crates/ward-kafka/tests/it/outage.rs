//! The broker dies, stands still, or is not there yet: events wait and then arrive, in order.

use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

use crate::system::{Component, Outbox, Patients, System, assert_in_order, consume, unique};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_frozen_loses_nothing() {
    let system = System::start().await;
    let (outbox, topic) = (Outbox::new(&system).await, system.topic(3).await);
    let (component, group) = (Component::willing(), unique("group"));
    let relay = outbox.relay(&system, &topic, DAY);
    let trigger = consume(&system, (&topic, &group), &component);
    let patients: Vec<Uuid> = (0..10).map(|_| Uuid::new_v4()).collect();
    let mut version = 0;
    let mut write = async |rounds: i64| {
        for _ in 0..rounds {
            version += 1;
            for patient in &patients {
                outbox.write(*patient, version).await;
            }
        }
    };
    write(3).await;
    component.has_applied(30).await;
    for _ in 0..3 {
        write(2).await;
        system.broker.kill();
        write(2).await;
        sleep(Duration::from_millis(300)).await;
        system.broker.start_again();
        write(1).await;
    }
    system.broker.freeze();
    write(2).await;
    sleep(Duration::from_secs(1)).await;
    system.broker.thaw();
    write(1).await;
    outbox.drained().await;
    let applied = component.has_applied(10 * 21).await;
    assert_eq!(applied.len(), 10 * 21);
    assert_in_order(&applied);
    assert_eq!(trigger.handle.stats().dead.get(), 0);
    trigger.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_late_is_waited_for() {
    let system = System::start().await;
    let topic = system.topic(1).await;
    system.broker.kill();
    let outbox = Outbox::new(&system).await;
    let relay = outbox.relay(&system, &topic, DAY);
    let component = Component::willing();
    let trigger = consume(&system, (&topic, &unique("group")), &component);
    outbox.write(Uuid::new_v4(), 1).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(outbox.count("published_at IS NOT NULL").await, 0);
    system.broker.start_again();
    component.has_applied(1).await;
    outbox.drained().await;
    trigger.stop().await;
    relay.stop().await;
}

/// Longer than sessions of a group last, and than most time limits of clients.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_gone_for_a_minute_is_waited_for() {
    let system = System::start().await;
    let (outbox, topic) = (Outbox::new(&system).await, system.topic(2).await);
    let (component, group) = (Component::willing(), unique("group"));
    let relay = outbox.relay(&system, &topic, DAY);
    let trigger = consume(&system, (&topic, &group), &component);
    let mut patients = Patients::new(&outbox, 10);
    let written = patients.change().await;
    component.has_applied(written).await;
    assert!(system.connection().is_up());
    system.broker.kill();
    for _ in 0..6 {
        patients.change().await;
        sleep(Duration::from_secs(10)).await;
    }
    assert!(!system.connection().is_up());
    assert_eq!(outbox.count("published_at IS NULL").await, 60);
    system.broker.start_again();
    let written = patients.change().await;
    outbox.drained().await;
    let applied = component.has_applied(written).await;
    assert_eq!(applied.len(), written);
    assert_in_order(&applied);
    assert_eq!(trigger.handle.stats().dead.get(), 0);
    assert_eq!(relay.handle.stats().set_aside.get(), 0);
    assert!(system.connection().is_up());
    trigger.stop().await;
    relay.stop().await;
}
