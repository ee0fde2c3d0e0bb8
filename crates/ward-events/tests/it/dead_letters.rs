//! Dead letters sent again: to the group that they name and to no other, once, however often the
//! command is interrupted; and records that are nothing for a component.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use ward_events::{
    DeadLetters, Kept, Letter, Log, Member, Membership, News, Outgoing, Reply, Resent, SendError,
    ToolError, TopicShape, Trouble, Unmade, View, deliver,
};

use crate::system::{
    Answer, Component, Consuming, System, consume, on_each_log, read, send_raw, unique, until,
};

on_each_log!(
    a_letter_goes_to_its_group_and_to_no_other,
    a_letter_is_sent_once_wherever_a_command_is_interrupted,
    of_two_commands_at_once_one_sends_a_letter,
    one_letter_can_be_chosen_and_others_letters_stay,
    records_without_a_value_are_passed_over,
);

/// An event that can be read: its id, and version 1.
const EVENT: &[u8] = b"\x2a\x02e1\x30\x01";

fn refusing() -> Arc<Component> {
    Component::new(|batch| Ok(batch.iter().map(|_| Answer::Reject("not for us")).collect()))
}

fn dead(topic: &str) -> String {
    format!("{topic}.dead-letter")
}

/// The letters of a topic, once there are so many.
async fn letters(log: &dyn Log, topic: &str, count: usize) -> Vec<Letter> {
    until("there are so many letters", async || {
        let letters = DeadLetters::open(log, &dead(topic)).await.unwrap().letters().to_vec();
        (letters.len() == count).then_some(letters)
    })
    .await
}

async fn open<'l>(log: &'l dyn Log, topic: &str) -> DeadLetters<'l> {
    DeadLetters::open(log, &dead(topic)).await.unwrap()
}

/// Sends all that can be; what became of each.
async fn resend(log: &dyn Log, topic: &str) -> Result<Vec<Resent>, ToolError> {
    resend_all(&mut open(log, topic).await, topic).await
}

async fn resend_all(dead: &mut DeadLetters<'_>, topic: &str) -> Result<Vec<Resent>, ToolError> {
    let mut became = Vec::new();
    for letter in dead.letters().to_vec() {
        became.push(dead.resend(&letter, |_, own| own == topic).await?);
    }
    Ok(became)
}

fn calls(component: &Component) -> usize {
    component.calls.lock().unwrap().iter().map(Vec::len).sum()
}

async fn a_letter_goes_to_its_group_and_to_no_other(system: &System) {
    let (log, topic) = (system.log(), system.topic(2).await);
    let components = [refusing(), refusing(), Component::willing()];
    let groups = [unique("group"), unique("group"), unique("group")];
    let consuming = groups.iter().zip(&components);
    let consuming: Vec<Consuming> =
        consuming.map(|(group, own)| consume(system, (&topic, group), own)).collect();
    send_raw(system, &topic, "k", EVENT).await;
    for round in 1..=3 {
        let found = letters(&*log, &topic, 2).await;
        let mut named: Vec<_> =
            found.iter().map(|letter| letter.dead.as_ref().unwrap().group.clone()).collect();
        named.sort();
        assert_eq!(named, groups[..2]);
        assert_eq!(components.each_ref().map(|own| calls(own)), [round, round, 1]);
        assert_eq!(resend(&*log, &topic).await.unwrap(), [Resent::Sent; 2]);
    }
    letters(&*log, &topic, 2).await;
    let for_others = |own: &Consuming| own.handle.stats().for_others.get();
    until("others pass over them", async || {
        (consuming.iter().map(for_others).collect::<Vec<_>>() == [3, 3, 6]).then_some(())
    })
    .await;
    assert_eq!(components.each_ref().map(|own| calls(own)), [4, 4, 1]);
    for own in consuming {
        own.stop().await;
    }
}

/// A log that takes so many records; the next is lost, or only its acknowledgement is, and with it
/// whoever waits for that.
struct Interrupted {
    log: Arc<dyn Log>,
    left: AtomicI32,
    arrives: bool,
}

impl Log for Interrupted {
    fn append(&self, topic: &str, record: &Outgoing, reply: Reply) -> Result<(), SendError> {
        let lost = || SendError::Later("interrupted".to_owned());
        match self.left.fetch_sub(1, Ordering::Relaxed) {
            1.. => self.log.append(topic, record, reply),
            0 if self.arrives => {
                self.log.append(topic, record, Box::new(move |_| reply(Err(lost()))))
            }
            _ => Err(lost()),
        }
    }

    fn ensure_topics<'l>(
        &'l self,
        topics: &'l [String],
        shape: TopicShape,
    ) -> BoxFuture<'l, Result<Vec<Unmade>, Trouble>> {
        self.log.ensure_topics(topics, shape)
    }

    fn join(
        &self,
        membership: &Membership,
        news: mpsc::Sender<News>,
    ) -> Result<Box<dyn Member>, String> {
        self.log.join(membership, news)
    }

    fn look<'l>(
        &'l self,
        topic: &'l str,
        group: &'l str,
    ) -> BoxFuture<'l, Result<Box<dyn View>, ToolError>> {
        self.log.look(topic, group)
    }

    fn forgets(&self) -> bool {
        self.log.forgets()
    }

    fn name(&self) -> &'static str {
        self.log.name()
    }

    fn is_up(&self) -> bool {
        self.log.is_up()
    }

    fn tried(&self, outcome: Result<(), &Trouble>) {
        self.log.tried(outcome);
    }
}

async fn a_letter_is_sent_once_wherever_a_command_is_interrupted(system: &System) {
    // What a command appends for a letter: that it begins, the record, that it is settled.
    for (appends, arrives) in [(0, false), (0, true), (1, false), (1, true), (2, false), (2, true)]
    {
        let topic = system.topic(2).await;
        let trigger = consume(system, (&topic, &unique("group")), &refusing());
        send_raw(system, &topic, "k", EVENT).await;
        letters(&*system.log(), &topic, 1).await;
        // Whatever it fails with from now on stays on the topic.
        trigger.stop().await;
        let interrupted = Interrupted { log: system.log(), left: AtomicI32::new(appends), arrives };
        resend(&interrupted, &topic).await.unwrap_err();
        let is_settled = appends == 2 && arrives;
        let expected: &[Resent] = if is_settled { &[] } else { &[Resent::Sent] };
        assert_eq!(resend(&*system.log(), &topic).await.unwrap(), expected);
        assert_eq!(resend(&*system.log(), &topic).await.unwrap(), []);
        send_raw(system, &topic, "k", b"last").await;
        let is_last = |seen: &crate::system::Seen| seen.value == b"last";
        let seen = read(system, &topic, |seen| seen.last().is_some_and(is_last)).await;
        assert_eq!(seen.len(), 3, "{appends} {arrives}: {seen:?}");
    }
}

async fn of_two_commands_at_once_one_sends_a_letter(system: &System) {
    const LETTERS: usize = 6;
    let (topic, logs) = (system.topic(2).await, [system.log(), system.another_log()]);
    let trigger = consume(system, (&topic, &unique("group")), &refusing());
    for key in 0..LETTERS - 1 {
        send_raw(system, &topic, &key.to_string(), EVENT).await;
    }
    let without_key = Outgoing { key: None, value: Some(EVENT.to_vec()), headers: Vec::new() };
    deliver(&*logs[0], &topic, &without_key).await.unwrap();
    letters(&*logs[0], &topic, LETTERS).await;
    // What comes back from now on stays on the topic.
    trigger.stop().await;
    // The second has read the letters when the first begins with one, and is interrupted.
    let interrupted = Interrupted { log: system.log(), left: AtomicI32::new(1), arrives: false };
    let (mut first, mut second) = (open(&interrupted, &topic).await, open(&*logs[1], &topic).await);
    let began = first.letters()[0].clone();
    first.resend(&began, |_, _| true).await.unwrap_err();
    let kept = Resent::Kept(Kept::BeingSent);
    assert_eq!(second.resend(&began, |_, _| true).await.unwrap(), kept);
    // The next find that out at once, and share the letters however they run.
    let (mut third, mut fourth) = (open(&*logs[0], &topic).await, open(&*logs[1], &topic).await);
    let (third, fourth) =
        tokio::join!(resend_all(&mut third, &topic), resend_all(&mut fourth, &topic));
    let both = [third.unwrap(), fourth.unwrap()].concat();
    let became = |what| both.iter().filter(|became| **became == what).count();
    assert_eq!((became(Resent::Sent), became(kept)), (LETTERS, LETTERS), "{both:?}");
    // One that has read the letters before they were sent leaves all of them.
    assert_eq!(resend_all(&mut second, &topic).await.unwrap(), [kept; LETTERS]);
    assert_eq!(resend(&*logs[0], &topic).await.unwrap(), []);
    send_raw(system, &topic, "k", b"last").await;
    let all = |seen: &[crate::system::Seen]| {
        seen.len() > 2 * LETTERS && seen.iter().any(|seen| seen.value == b"last")
    };
    let seen = read(system, &topic, all).await;
    assert_eq!(seen.len(), 2 * LETTERS + 1, "{seen:?}");
}

async fn one_letter_can_be_chosen_and_others_letters_stay(system: &System) {
    let (log, topic) = (system.log(), system.topic(1).await);
    let foreign = Outgoing {
        key: None,
        value: Some(b"x".to_vec()),
        headers: vec![("error".to_owned(), Some(b"no".to_vec()))],
    };
    deliver(&*log, &dead(&topic), &foreign).await.unwrap();
    let trigger = consume(system, (&topic, &unique("group")), &refusing());
    for key in ["a", "b", "c"] {
        send_raw(system, &topic, key, EVENT).await;
    }
    letters(&*log, &topic, 4).await;
    trigger.stop().await;
    let mut dead_letters = open(&*log, &topic).await;
    let chosen = dead_letters.letters().iter().find(|letter| letter.is_at(0, 2)).unwrap().clone();
    let nobody = dead_letters.resend(&chosen, |_, _| false).await.unwrap();
    assert_eq!(nobody, Resent::Kept(Kept::NotConsumed));
    assert_eq!(dead_letters.resend(&chosen, |_, _| true).await.unwrap(), Resent::Sent);
    let left = letters(&*log, &topic, 3).await;
    assert!(!left.iter().any(|letter| letter.is_at(0, 2)));
    // A letter without its value says so.
    let mut headers = chosen.record.headers.clone();
    headers.push(("ward-dead-value".to_owned(), Some(b"left behind".to_vec())));
    headers.iter_mut().filter(|(name, _)| name == "ward-dead-offset").for_each(|(_, value)| {
        *value = Some(b"1000".to_vec());
    });
    let empty = Outgoing { key: None, value: None, headers };
    deliver(&*log, &dead(&topic), &empty).await.unwrap();
    let mut became = resend(&*log, &topic).await.unwrap();
    became.sort_by_key(|own| format!("{own:?}"));
    let kept = [Kept::Foreign, Kept::ValueElsewhere].map(Resent::Kept);
    assert_eq!(became, [kept[0], kept[1], Resent::Sent, Resent::Sent]);
    let left = letters(&*log, &topic, 2).await;
    assert!(left[0].dead.is_none() && left[0].record.value.as_deref() == Some(b"x"));
}

async fn records_without_a_value_are_passed_over(system: &System) {
    let (log, topic) = (system.log(), system.topic(1).await);
    let nothing = Outgoing { key: Some(b"k".to_vec()), value: None, headers: Vec::new() };
    deliver(&*log, &topic, &nothing).await.unwrap();
    send_raw(system, &topic, "k", EVENT).await;
    deliver(&*log, &topic, &nothing).await.unwrap();
    let (component, group) = (Component::willing(), unique("group"));
    let trigger = consume(system, (&topic, &group), &component);
    assert_eq!(component.has_applied(1).await[0].offset, 1);
    until("both are counted", async || {
        (trigger.handle.stats().tombstones.get() == 2).then_some(())
    })
    .await;
    assert_eq!(trigger.handle.stats().dead.get(), 0);
    trigger.stop().await;
    let committed = log.look(&topic, &group).await.unwrap().committed().await.unwrap();
    assert_eq!(committed.get(&0), Some(&3));
}
