//! What only the embedded log promises: members of wards that end or stand still, and next to
//! nothing to do while nothing happens.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use uuid::Uuid;
use ward_events::{Fetch, Membership, News, Outgoing, StartAt, TopicPartition, deliver};

use crate::system::{
    Component, Outbox, System, assert_in_order, consume, consume_for, shared_embedded, unique,
    until,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Longer than a lease lasts and its end is noticed.
const PATIENCE: Duration = Duration::from_secs(30);

fn record(key: &str, value: &str) -> Outgoing {
    Outgoing {
        key: Some(key.as_bytes().to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: vec![("n".to_owned(), Some(value.as_bytes().to_vec())), ("e".to_owned(), None)],
    }
}

/// Everything that a member is told until it has so many partitions.
async fn assigned(news: &mut mpsc::Receiver<News>, count: usize) -> Vec<TopicPartition> {
    let mut places = Vec::new();
    while places.len() < count {
        match timeout(PATIENCE, news.recv()).await.unwrap().unwrap() {
            News::Assigned(came) => places.extend(came),
            News::Revoked(gone, farewell) => {
                places.retain(|place| !gone.contains(place));
                farewell(Vec::new());
            }
            _ => {}
        }
    }
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_a_partition_commits_nothing_for_it() {
    let system = shared_embedded().await;
    let (topic, group) = (system.topic(1).await, unique("group"));
    let membership =
        Membership { group: group.clone(), topics: vec![topic.clone()], from: StartAt::Earliest };
    deliver(&*system.log(), &topic, &record("k", "v")).await.unwrap();
    let (sender, mut news) = mpsc::channel(8);
    let zombie = system.log().join(&membership, sender).unwrap();
    let place = assigned(&mut news, 1).await[0].clone();
    // As if it had stood still for longer than its lease: another has it, and has come further.
    let storage = system.storage().await;
    let steal = "UPDATE lease SET member = gen_random_uuid(), epoch = epoch + 1, position = 9";
    storage.execute(steal, &[]).await.unwrap();
    zombie.fetch(vec![(place.clone(), Fetch::Stop)]);
    zombie.commit(vec![(place.clone(), 1)]);
    loop {
        match timeout(PATIENCE, news.recv()).await.unwrap().unwrap() {
            News::Lost(places) => break assert_eq!(places.len(), 1),
            _ => continue,
        }
    }
    // The other is no member, so it comes back, and what was said before that arrives after it.
    assert_eq!(assigned(&mut news, 1).await, std::slice::from_ref(&place));
    zombie.commit(vec![(place, 2)]);
    zombie.leave();
    loop {
        match timeout(PATIENCE, news.recv()).await.unwrap().unwrap() {
            News::Revoked(_, farewell) => farewell(Vec::new()),
            News::Ended(_) => break,
            _ => continue,
        }
    }
    let sql = "SELECT position FROM lease WHERE group_name = $1";
    let position: i64 = storage.query_one(sql, &[&group]).await.unwrap().get(0);
    assert_eq!(position, 9);
}

/// Its session is closed by the server, as that of a process that was killed.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_member_had_is_free_at_once_and_what_a_silent_one_had_after_a_while() {
    let system = System::embedded().await;
    let (outbox, topic) = (Outbox::new(&system).await, system.topic(4).await);
    let (component, group) = (Component::willing(), unique("group"));
    let storage = system.storage().await;
    for (session, what) in [("0, '-infinity'", "dead"), ("pid, backend_start", "silent")] {
        let sql = format!(
            "WITH m AS (INSERT INTO member SELECT gen_random_uuid(), '{group}', '{what}', \
                 now() + interval '4 s', {session} FROM pg_stat_activity \
                 WHERE pid = pg_backend_pid() RETURNING id) \
             INSERT INTO lease (group_name, part, member) SELECT '{group}', part.id, m.id \
             FROM part, m WHERE topic = '{topic}' ON CONFLICT (group_name, part) \
             DO UPDATE SET member = excluded.member"
        );
        let relay = outbox.relay(&system, &topic, DAY);
        // Tables are made by whoever comes first.
        until("there is a plan to be dead", async || storage.batch_execute(&sql).await.ok()).await;
        let version = component.applied().len() + 1;
        let patient = Uuid::from_u128(7);
        outbox.write(patient, i64::try_from(version).unwrap()).await;
        let trigger = consume_for(system.another_log(), (&topic, &group), &component, DAY);
        assert_in_order(&component.has_applied(version).await);
        trigger.stop().await;
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_and_readers_go_on_after_it() {
    let system = System::embedded().await;
    let (topic, component) = (system.topic(1).await, Component::willing());
    // Fields 5 and 6 of an event.
    deliver(&*system.log(), &topic, &record("k", "\x2a\x02e1\x30\x01")).await.unwrap();
    let storage = system.storage().await;
    storage.batch_execute("DELETE FROM record").await.unwrap();
    deliver(&*system.log(), &topic, &record("k", "\x2a\x02e2\x30\x02")).await.unwrap();
    let trigger = consume(&system, (&topic, &unique("group")), &component);
    let applied = component.has_applied(1).await;
    assert_eq!((applied[0].version, applied[0].offset), (2, 1));
    trigger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_happens_there_is_next_to_nothing_to_do() {
    let system = System::embedded().await;
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
    sleep(Duration::from_secs(6)).await;
    let done = transactions(&outbox).await - before;
    // Two statements of the relay's and two of the member's every three seconds, a slow look, and
    // those of the server itself.
    assert!(done < 40, "{done} transactions in six seconds of nothing");
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
