//! Deliveries of the topic `patient`: a batch is one statement, and each delivery gets its outcome.
//!
//! An event that is known already changes nothing and is done; the event store's primary key is the
//! inbox. An event that can never be applied is rejected by itself. When the database is away, or
//! something of ours is wrong, the deliveries come again.

use std::collections::HashSet;
use std::time::Duration;

use http::HeaderMap;
use kit::database::Fault;
use kit::log;

use crate::contract::{Delivery, Outcome};
use crate::intake::{self, NewEvent};
use crate::limits::{BATCH_MAX, RETRY_AWAY, RETRY_BROKEN};

/// What two events of one version of one patient are told, all but the first.
const CONTRADICTS: &str = "another event of the same patient's same version is known";
/// What an event is told that passed every check here and none of the database's.
const IMPOSSIBLE: &str = "the database refuses its values";

/// Applies deliveries in their order; one outcome for each.
pub(crate) async fn consume(deliveries: &[Delivery]) -> Vec<Outcome> {
    let reads: Vec<Read> =
        deliveries.iter().map(|delivery| NewEvent::read(&delivery.event)).collect();
    let mut outcomes = Vec::with_capacity(reads.len());
    // A stack of batches, so that one the database refuses can be tried in halves.
    let mut batches: Vec<&[Read]> = reads.chunks(BATCH_MAX).rev().collect();
    while let Some(batch) = batches.pop() {
        match apply(batch).await {
            Ok(refused) => outcomes.extend(batch.iter().map(|read| settled(read, &refused))),
            Err(fault) => match after(&fault, batch.len()) {
                After::Reject => outcomes.extend(batch.iter().map(|_| reject(IMPOSSIBLE))),
                After::Halve => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    batches.extend([second, first]);
                }
                After::Pause(pause) => {
                    // Nothing after it either: what follows may be of the same patients.
                    let left = reads.len() - outcomes.len();
                    let pause = u32::try_from(pause.as_millis()).unwrap_or(u32::MAX);
                    outcomes.extend(std::iter::repeat_n(Outcome::Retry(pause), left));
                    break;
                }
            },
        }
    }
    outcomes
}

/// An event, if it is for us, or why it can never be applied.
type Read = Result<Option<NewEvent>, &'static str>;

/// Applies a batch in one statement. Returns the ids of events that contradict known ones.
async fn apply(batch: &[Read]) -> Result<HashSet<String>, Fault> {
    let entries: Vec<&NewEvent> = batch.iter().flatten().flatten().collect();
    if entries.is_empty() {
        return Ok(HashSet::new());
    }
    let database = crate::database().await?;
    let rows = database.query(include_str!("store/apply.sql"), intake::columns(&entries)).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

fn settled(read: &Read, refused: &HashSet<String>) -> Outcome {
    match read {
        Err(reason) => reject(reason),
        Ok(Some(entry)) if refused.contains(&entry.id) => reject(CONTRADICTS),
        Ok(_) => Outcome::Done,
    }
}

fn reject(reason: &str) -> Outcome {
    Outcome::Reject(reason.to_owned())
}

/// What is to be done about a batch that failed.
#[derive(Debug, PartialEq, Eq)]
enum After {
    Reject,
    Halve,
    Pause(Duration),
}

fn after(fault: &Fault, events: usize) -> After {
    log::failure("analytics.consume", fault.cause(), &HeaderMap::new());
    match fault {
        Fault::Unavailable(_) => After::Pause(RETRY_AWAY),
        _ if !is_about_data(fault) => After::Pause(RETRY_BROKEN),
        _ if events > 1 => After::Halve,
        _ => After::Reject,
    }
}

/// Classes 22 and 23 of SQLSTATE are about values: the same ones will fail again.
fn is_about_data(fault: &Fault) -> bool {
    let cause = fault.cause();
    cause.len() == 5 && (cause.starts_with("22") || cause.starts_with("23"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::tests::event;

    fn shown(outcomes: &[Outcome]) -> String {
        let show = |outcome: &Outcome| match outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Retry(pause) => format!("retry {pause}"),
            Outcome::Reject(reason) => format!("reject: {reason}"),
        };
        outcomes.iter().map(show).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn each_delivery_has_its_own_outcome() {
        let check = |read: &Read, refused: &[&str], expected: &str| {
            let refused = refused.iter().map(|id| (*id).to_owned()).collect();
            assert_eq!(shown(&[settled(read, &refused)]), expected);
        };
        let (good, id) = (NewEvent::read(&event()), event().event_id);
        check(&good, &[], "done");
        check(&good, &["00000000-0000-0000-0000-000000000002"], "done");
        check(&good, &[&id], &format!("reject: {CONTRADICTS}"));
        check(&Err("version is below 1"), &[], "reject: version is below 1");
        check(&Ok(None), &[&id], "done");
    }

    #[test]
    fn faults_are_told_apart() {
        let check = |fault: Fault, events: usize, expected: After| {
            assert_eq!(after(&fault, events), expected, "{fault:?}");
        };
        let other = |cause: &str| Fault::Other(cause.to_owned());
        check(Fault::Unavailable("57P01".to_owned()), 500, After::Pause(RETRY_AWAY));
        check(other("42P01"), 500, After::Pause(RETRY_BROKEN));
        check(other("variable-analytics_db_url"), 1, After::Pause(RETRY_BROKEN));
        check(other("22021"), 500, After::Halve);
        check(other("22021"), 1, After::Reject);
        check(Fault::Duplicate("key".to_owned()), 2, After::Halve);
    }

    #[test]
    fn what_needs_no_database_is_settled_without_it() {
        let mut bad = event();
        bad.version = 0;
        let position = || crate::contract::Position {
            topic: "patient".to_owned(),
            partition: 0,
            offset: 0,
            key: String::new(),
            headers: Vec::new(),
        };
        let deliveries = [bad.clone(), bad].map(|event| Delivery { position: position(), event });
        let consuming = std::pin::pin!(consume(&deliveries));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(outcomes) = consuming.poll(&mut context) else {
            panic!("went to the database");
        };
        let expected = "reject: version is below 1; reject: version is below 1";
        assert_eq!(shown(&outcomes), expected);
    }
}
