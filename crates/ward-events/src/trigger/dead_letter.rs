//! Records that cannot be consumed: sent to their own topic as they were, with what is known of the
//! reason in headers of ours, and read from there again.

use chrono::{SecondsFormat, Utc};

use crate::limits::{OUTAGE_PAUSE_MAX, OUTAGE_PAUSE_MIN, pause};
use crate::log::{ERASES, Headers, Incoming, Log, Outgoing, SendError, deliver as append};

/// Headers of ours begin with this; a record's own stay beside them.
const PREFIX: &str = "ward-dead-";

/// What a letter says whose value was too large to go with it.
const VALUE: &str = "ward-dead-value";

/// A record that is sent again says for whom, and which letter it was.
const RESENT: &str = "ward-resent-";
const RESENT_GROUP: &str = "ward-resent-group";
const RESENT_LETTER: &str = "ward-resent-letter";

/// Whether a group is to take a record: one that is sent again is for the group that failed.
pub(super) fn is_for(record: &Incoming, group: &str) -> bool {
    header(record, RESENT_GROUP).is_none_or(|own| own == group)
}

/// What takes the letters back that a record erases: with its key, and no letter itself.
pub(super) fn clearing(record: &Incoming) -> Outgoing {
    let headers = vec![(ERASES.to_owned(), Some(b"key".to_vec()))];
    Outgoing { key: record.key.clone(), value: None, headers }
}

/// Whether a record among the letters is none: one that was taken back, or what took it back.
pub(crate) fn is_blank(record: &Incoming) -> bool {
    record.is_erased() || (record.value.is_none() && record.erases())
}

/// Which letter a record was before it was sent again.
pub(crate) fn resent_letter(record: &Incoming) -> Option<&str> {
    header(record, RESENT_LETTER)
}

/// Whether a letter is without the value it was about.
pub(crate) fn is_value_elsewhere(letter: &Incoming) -> bool {
    letter.value.is_none() && header(letter, VALUE).is_some()
}

/// A header's last value, where it is text.
pub(crate) fn header<'r>(record: &'r Incoming, name: &str) -> Option<&'r str> {
    let value = record.headers.iter().rev().find(|(own, _)| own == name)?.1.as_deref()?;
    std::str::from_utf8(value).ok()
}

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
        let mut headers = without(record, &[PREFIX]);
        headers.extend(self.headers());
        Outgoing { key: record.key.clone(), value: record.value.clone(), headers }
    }

    /// What the headers of a dead letter say; `None` if it is none of ours.
    #[must_use]
    pub fn read(record: &Incoming) -> Option<DeadLetter> {
        let text = |name: &str| header(record, &format!("{PREFIX}{name}")).map(str::to_owned);
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

    /// The record as it was before it was set aside, for the group that set it aside. `letter` is
    /// what it is known by.
    pub(crate) fn again(&self, record: &Incoming, letter: &str) -> Outgoing {
        let mut headers = without(record, &[PREFIX, RESENT]);
        for (name, value) in [(RESENT_GROUP, self.group.as_str()), (RESENT_LETTER, letter)] {
            headers.push((name.to_owned(), Some(value.as_bytes().to_vec())));
        }
        Outgoing { key: record.key.clone(), value: record.value.clone(), headers }
    }

    /// The time to write into `at`.
    #[must_use]
    pub fn now() -> String {
        Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

fn without(record: &Incoming, prefixes: &[&str]) -> Headers {
    let headers = record.headers.iter();
    let is_ours = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    headers.filter(|(name, _)| !is_ours(name)).cloned().collect()
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
                record.headers.push((VALUE.to_owned(), Some(b"left behind".to_vec())));
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

    use super::{DeadLetter, Incoming, is_for, resent_letter};

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
        let back = record(letter("first").again(&there, "order.dead-letter:0:0").headers);
        assert_eq!(back.headers[..1], own);
        assert_eq!(resent_letter(&back), Some("order.dead-letter:0:0"));
        assert!(is_for(&back, "g") && !is_for(&back, "h") && is_for(&there, "h"));
        // Set aside once more it has one reason, and sent once more one group.
        let again = record(letter("second").wrap(&back).headers);
        assert_eq!(DeadLetter::read(&again).unwrap().reason, "second");
        assert_eq!(again.headers.len(), there.headers.len() + 2);
        let back = letter("second").again(&again, "order.dead-letter:0:1");
        assert_eq!(back.headers.len(), 3);
        assert_eq!(resent_letter(&record(back.headers)), Some("order.dead-letter:0:1"));
    }

    #[test]
    fn others_records_are_no_letters_of_ours() {
        assert_eq!(DeadLetter::read(&record(Vec::new())), None);
    }
}
