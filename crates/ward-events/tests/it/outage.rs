//! The log dies, stands still, or is not there yet: events wait and then arrive, in order.

use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

use crate::system::{Component, Outbox, Patients, System, assert_in_order, consume, unique};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Longer than a member of a group may be silent.
const LONG: Duration = Duration::from_secs(12);

async fn killed_and_frozen(system: System) {
    let (outbox, topic) = (Outbox::new(&system).await, system.topic(3).await);
    let (component, group) = (Component::willing(), unique("group"));
    let relay = outbox.relay(&system, &topic, DAY);
    let trigger = consume(&system, (&topic, &group), &component);
    let mut patients = Patients::new(&outbox, 10);
    for _ in 0..3 {
        patients.change().await;
    }
    component.has_applied(30).await;
    for _ in 0..3 {
        patients.change().await;
        system.break_log().await;
        patients.change().await;
        sleep(Duration::from_millis(300)).await;
        system.mend_log().await;
        patients.change().await;
    }
    patients.change().await;
    system.freeze_log(Duration::from_secs(1)).await;
    let written = patients.change().await;
    outbox.drained().await;
    let applied = component.has_applied(written).await;
    assert_eq!(applied.len(), written);
    assert_in_order(&applied);
    assert_eq!(trigger.handle.stats().dead.get(), 0);
    trigger.stop().await;
    relay.stop().await;
}

async fn late(system: System) {
    let topic = system.topic(1).await;
    system.break_log().await;
    let outbox = Outbox::new(&system).await;
    let relay = outbox.relay(&system, &topic, DAY);
    let component = Component::willing();
    let trigger = consume(&system, (&topic, &unique("group")), &component);
    outbox.write(Uuid::new_v4(), 1).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(outbox.count("published_at IS NOT NULL").await, 0);
    system.mend_log().await;
    component.has_applied(1).await;
    outbox.drained().await;
    trigger.stop().await;
    relay.stop().await;
}

async fn gone_for_long(system: System) {
    let (outbox, topic) = (Outbox::new(&system).await, system.topic(2).await);
    let (component, group) = (Component::willing(), unique("group"));
    let relay = outbox.relay(&system, &topic, DAY);
    let trigger = consume(&system, (&topic, &group), &component);
    let mut patients = Patients::new(&outbox, 10);
    let written = patients.change().await;
    component.has_applied(written).await;
    assert!(system.log().is_up());
    system.break_log().await;
    for _ in 0..6 {
        patients.change().await;
        sleep(LONG / 6).await;
    }
    assert!(!system.log().is_up());
    assert_eq!(outbox.count("published_at IS NULL").await, 60);
    system.mend_log().await;
    let written = patients.change().await;
    outbox.drained().await;
    let applied = component.has_applied(written).await;
    assert_eq!(applied.len(), written);
    assert_in_order(&applied);
    assert_eq!(trigger.handle.stats().dead.get(), 0);
    assert_eq!(relay.handle.stats().set_aside.get(), 0);
    assert!(system.log().is_up());
    trigger.stop().await;
    relay.stop().await;
}

mod kafka {
    use crate::system::System;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broker_that_is_killed_and_frozen_loses_nothing() {
        super::killed_and_frozen(System::kafka().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broker_that_comes_late_is_waited_for() {
        super::late(System::kafka().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broker_that_is_gone_for_longer_than_sessions_last_is_waited_for() {
        super::gone_for_long(System::kafka().await).await;
    }
}

mod embedded {
    use crate::system::System;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_that_breaks_and_stands_still_loses_nothing() {
        super::killed_and_frozen(System::embedded().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_that_breaks_before_it_is_used_is_waited_for() {
        super::late(System::embedded().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_that_is_gone_for_longer_than_leases_last_is_waited_for() {
        super::gone_for_long(System::embedded().await).await;
    }
}
