//! Records that cannot be consumed: sent to their own topic as they were, with what is known of the
//! reason in headers of ours, and read from there again.

use chrono::{SecondsFormat, Utc};

use crate::limits::{OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, pause};
use crate::log::{Headers, Incoming, Log, Outgoing, SendError, deliver as append};

/// Headers of ours begin with this; a record's own stay beside them.
const PREFIX: &str = "ward-dead-";

/// Why a record was set aside, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why; written by Ward or by the component, without personal data.
    pub reason: String,
    /// The component that could not consume it.
    pub component: String,
    /// Which build of it.
    pub revision: String,
    /// The consumer group.
    pub group: String,
    /// Where it was.
    pub topic: String,
    /// See `topic`.
    pub partition: i32,
    /// See `topic`.
    pub offset: i64,
    /// How often the component had it.
    pub attempts: u32,
    /// When it was set aside: RFC 3339, UTC.
    pub at: String,
}

impl DeadLetter {
    fn headers(&self) -> Headers {
        let headers = [
            ("reason", self.reason.clone()),
            ("component", self.component.clone()),
            ("revision", self.revision.clone()),
            ("group", self.group.clone()),
            ("topic", self.topic.clone()),
            ("partition", self.partition.to_string()),
            ("offset", self.offset.to_string()),
            ("attempts", self.attempts.to_string()),
            ("at", self.at.clone()),
        ];
        let own = |(name, value): (&str, String)| (format!("{PREFIX}{name}"), Some(value.into()));
        headers.into_iter().map(own).collect()
    }

    /// The record to send to the dead letters. A record that was there before, was sent again and
    /// failed again has the newer reason only.
    #[must_use]
    pub fn wrap(&self, record: &Incoming) -> Outgoing {
        let mut headers = without_ours(record);
        headers.extend(self.headers());
        Outgoing { key: record.key.clone(), value: record.value.clone(), headers }
    }

    /// What the headers of a dead letter say; `None` if it is none of ours.
    #[must_use]
    pub fn read(record: &Incoming) -> Option<DeadLetter> {
        let text = |name: &str| {
            let name = format!("{PREFIX}{name}");
            let value = record.headers.iter().rev().find(|(own, _)| *own == name)?.1.clone()?;
            String::from_utf8(value).ok()
        };
        Some(DeadLetter {
            reason: text("reason")?,
            component: text("component")?,
            revision: text("revision")?,
            group: text("group")?,
            topic: text("topic")?,
            partition: text("partition")?.parse().ok()?,
            offset: text("offset")?.parse().ok()?,
            attempts: text("attempts")?.parse().ok()?,
            at: text("at")?,
        })
    }

    /// The record as it was before it was set aside.
    #[must_use]
    pub fn unwrap_record(record: &Incoming) -> Outgoing {
        Outgoing {
            key: record.key.clone(),
            value: record.value.clone(),
            headers: without_ours(record),
        }
    }

    /// The time to write into `at`.
    #[must_use]
    pub fn now() -> String {
        Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

fn without_ours(record: &Incoming) -> Headers {
    let headers = record.headers.iter();
    headers.filter(|(name, _)| !name.starts_with(PREFIX)).cloned().collect()
}

/// Sends until the log has it. With our headers a record may be too large where it was not
/// before; then its value stays where it was, and the headers say where that is.
pub(super) async fn deliver(log: &dyn Log, topic: &str, mut record: Outgoing) {
    let mut attempt = 0;
    loop {
        match append(log, topic, &record).await {
            Ok(()) => return,
            Err(SendError::Refused(_) | SendError::Unsendable(_)) if record.value.is_some() => {
                record.value = None;
                record.headers.push((format!("{PREFIX}value"), Some(b"left behind".to_vec())));
            }
            Err(_) => {
                tokio::time::sleep(pause(attempt, OUTAGE_PAUSE_MIN, OUTAGE_PAUSE_MAX)).await;
                attempt += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{DeadLetter, Incoming};

    fn letter(reason: &str) -> DeadLetter {
        DeadLetter {
            reason: reason.to_owned(),
            component: "shop".to_owned(),
            revision: "abc".to_owned(),
            group: "g".to_owned(),
            topic: "order".to_owned(),
            partition: 2,
            offset: 7,
            attempts: 3,
            at: DeadLetter::now(),
        }
    }

    fn record(headers: Vec<(String, Option<Vec<u8>>)>) -> Incoming {
        Incoming {
            topic: Arc::from("order.dead-letter"),
            partition: 0,
            offset: 0,
            key: Some(b"k".to_vec()),
            value: Some(b"v".to_vec()),
            headers,
            timestamp_ms: None,
        }
    }

    #[test]
    fn a_record_goes_there_and_back_as_it_was() {
        let own = vec![("ce_id".to_owned(), Some(b"1".to_vec()))];
        let wrapped = letter("first").wrap(&record(own.clone()));
        let there = record(wrapped.headers);
        assert_eq!(DeadLetter::read(&there).unwrap().reason, "first");
        assert_eq!(DeadLetter::unwrap_record(&there).headers, own);
        // Set aside once more, it has one reason.
        let again = record(letter("second").wrap(&there).headers);
        assert_eq!(DeadLetter::read(&again).unwrap().reason, "second");
        assert_eq!(again.headers.len(), there.headers.len());
    }

    #[test]
    fn others_records_are_no_letters_of_ours() {
        assert_eq!(DeadLetter::read(&record(Vec::new())), None);
    }
}
