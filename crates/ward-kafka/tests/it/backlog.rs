//! The two ends of the load: many records that wait, and none at all. Both are about the broker
//! that `ward up` runs, which reads thousands of rows for each request and looks again and again
//! when it is asked to wait.

use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

use crate::system::{Component, Outbox, System, assert_in_order, consume, unique};

/// More than the broker reads at once.
const MANY: usize = 12_000;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_records_in_one_partition_come_out() {
    let system = System::start().await;
    let (outbox, topic) = (Outbox::new(&system).await, system.topic(1).await);
    let fill = "INSERT INTO outbox (aggregate_id, aggregate_version, type, payload) \
         SELECT gen_random_uuid(), 1, 'PATIENT_CREATED', '{\"name\": \"Ada\"}' \
         FROM generate_series(1, $1)";
    outbox.client.execute(fill, &[&i32::try_from(MANY).unwrap()]).await.unwrap();
    let relay = outbox.relay(&system, &topic, DAY);
    outbox.drained().await;
    relay.stop().await;
    let component = Component::willing();
    let trigger = consume(&system, (&topic, &unique("group")), &component);
    let applied = component.has_applied(MANY).await;
    assert_eq!(applied.len(), MANY);
    trigger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_happens_the_broker_has_next_to_nothing_to_do() {
    let system = System::start().await;
    let (outbox, topic) = (Outbox::new(&system).await, system.topic(6).await);
    let component = Component::willing();
    let trigger = consume(&system, (&topic, &unique("group")), &component);
    let relay = outbox.relay(&system, &topic, DAY);
    let patient = Uuid::new_v4();
    outbox.write(patient, 1).await;
    component.has_applied(1).await;
    // Sessions tell the statistics of what they did within a second or two.
    sleep(Duration::from_secs(3)).await;
    let before = transactions(&outbox).await;
    sleep(Duration::from_secs(3)).await;
    let done = transactions(&outbox).await - before;
    // A look at six partitions a second, and the relay's housekeeping: some 30. A consumer that
    // has a request with the broker at all times comes to some 3,000.
    assert!(done < 300, "{done} transactions in three seconds of nothing");
    // It is awake all the same.
    outbox.write(patient, 2).await;
    assert_in_order(&component.has_applied(2).await);
    relay.stop().await;
    trigger.stop().await;
}

async fn transactions(outbox: &Outbox) -> i64 {
    let sql = "SELECT sum(xact_commit)::bigint FROM pg_stat_database";
    outbox.client.query_one(sql, &[]).await.unwrap().get(0)
}
