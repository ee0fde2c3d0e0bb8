//! Events on their way in: each is checked before it goes anywhere near the database, so that one
//! that cannot be read is turned away alone and its batch goes through.
//!
//! What the projections need has to be there and right; what they do not need is stored as it came.
//! A reason names a field and never says what was in it.

use kit::{date, uuid};
use spin_sdk::pg::ParameterValue;

use crate::contract::PatientEvent;
use crate::limits::TEXT_MAX_CHARS;

const CREATED: &str = "PATIENT_CREATED";
const UPDATED: &str = "PATIENT_UPDATED";
const DELETED: &str = "PATIENT_DELETED";
const ERASED: &str = "PATIENT_ERASED";

/// An event as the database takes it: every text can be cast to what its column is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewEvent {
    /// The event's id in canonical form.
    pub(crate) id: String,
    patient_id: String,
    version: i64,
    kind: &'static str,
    occurred_at: String,
    name: Option<String>,
    email: Option<String>,
    date_of_birth: Option<String>,
    registered_date: Option<String>,
    restricted: bool,
}

impl NewEvent {
    /// Checks an event. A kind that is not known here is nothing for this service, as it is for
    /// every other (docs/events.md): `None`.
    ///
    /// # Errors
    /// Why it can never be applied, without patient data.
    pub(crate) fn read(event: &PatientEvent) -> Result<Option<Self>, &'static str> {
        let kind = match event.event_type.as_str() {
            CREATED => CREATED,
            UPDATED => UPDATED,
            DELETED => DELETED,
            ERASED => ERASED,
            "" => return Err("event-type is missing"),
            _ => return Ok(None),
        };
        let gone = kind == DELETED || kind == ERASED;
        let date_of_birth = day(&event.date_of_birth, "date-of-birth is no ISO date")?;
        // An event that was sent after its patient was erased says nothing of them, and is counted.
        let is_bare = event.name.is_empty() && event.email.is_empty();
        if date_of_birth.is_none() && !gone && !is_bare {
            return Err("date-of-birth is missing");
        }
        let registered_date = day(&event.registered_date, "registered-date is no ISO date")?;
        if event.version < 1 {
            return Err("version is below 1");
        }
        let occurred_at =
            date::parse_instant(&event.occurred_at).ok_or("occurred-at is no RFC 3339")?;
        Ok(Some(Self {
            id: uuid::parse(&event.event_id).ok_or("event-id is no UUID")?,
            patient_id: uuid::parse(&event.patient_id).ok_or("patient-id is no UUID")?,
            version: event.version,
            kind,
            occurred_at: date::format_instant(occurred_at),
            name: text(&event.name, "name cannot be stored")?.filter(|_| !gone),
            email: text(&event.email, "email cannot be stored")?.filter(|_| !gone),
            date_of_birth: date_of_birth.filter(|_| !gone),
            registered_date: registered_date.filter(|_| !gone),
            restricted: event.restricted,
        }))
    }
}

fn day(text: &str, wrong: &'static str) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    date::parse(text).map(|day| Some(date::format(day))).ok_or(wrong)
}

/// PostgreSQL has no character 0.
fn text(text: &str, wrong: &'static str) -> Result<Option<String>, &'static str> {
    if text.contains('\0') || text.chars().nth(TEXT_MAX_CHARS).is_some() {
        return Err(wrong);
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Entries as the parameters of `store/apply.sql`: a column each, in its order.
pub(crate) fn columns(entries: &[&NewEvent]) -> Vec<ParameterValue> {
    let texts = |of: fn(&NewEvent) -> Option<&str>| {
        let column = entries.iter().map(|entry| of(entry).map(str::to_owned));
        ParameterValue::ArrayStr(column.collect())
    };
    let versions = entries.iter().map(|entry| Some(entry.version)).collect();
    vec![
        texts(|entry| Some(&entry.id)),
        texts(|entry| Some(&entry.patient_id)),
        ParameterValue::ArrayInt64(versions),
        texts(|entry| Some(entry.kind)),
        texts(|entry| Some(&entry.occurred_at)),
        texts(|entry| entry.name.as_deref()),
        texts(|entry| entry.email.as_deref()),
        texts(|entry| entry.date_of_birth.as_deref()),
        texts(|entry| entry.registered_date.as_deref()),
        texts(|entry| Some(if entry.restricted { "true" } else { "false" })),
    ]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A good event.
    pub(crate) fn event() -> PatientEvent {
        PatientEvent {
            patient_id: "123E4567-e89b-12d3-a456-426614174000".to_owned(),
            name: "Ann Lee".to_owned(),
            email: "ann@example.test".to_owned(),
            event_type: CREATED.to_owned(),
            event_id: "00000000-0000-0000-0000-000000000001".to_owned(),
            version: 1,
            occurred_at: "2024-02-29T01:02:03+01:00".to_owned(),
            date_of_birth: "2000-02-29".to_owned(),
            registered_date: "2024-01-01".to_owned(),
            restricted: false,
        }
    }

    #[test]
    fn a_good_event_is_taken_in_canonical_form() {
        let entry = NewEvent::read(&event()).unwrap().unwrap();
        assert_eq!(entry.patient_id, "123e4567-e89b-12d3-a456-426614174000");
        assert_eq!(entry.occurred_at, "2024-02-29T00:02:03.000000Z");
        assert_eq!(entry.date_of_birth.as_deref(), Some("2000-02-29"));
        assert_eq!(columns(&[&entry, &entry]).len(), 10);
    }

    #[test]
    fn a_kind_that_is_not_known_is_nothing_whatever_else_it_says() {
        let merged = PatientEvent {
            event_type: "PATIENT_MERGED".to_owned(),
            patient_id: "7".to_owned(),
            ..event()
        };
        assert_eq!(NewEvent::read(&merged), Ok(None));
    }

    #[test]
    fn a_deletion_and_an_erasure_carry_nothing_of_the_patient() {
        for kind in [DELETED, ERASED] {
            let event = PatientEvent { event_type: kind.to_owned(), ..event() };
            let entry = NewEvent::read(&event).unwrap().unwrap();
            assert_eq!((entry.name, entry.email), (None, None));
            assert_eq!((entry.date_of_birth, entry.registered_date), (None, None));
        }
    }

    #[test]
    fn what_is_sent_of_somebody_who_is_erased_already_is_taken() {
        let mut bare = event();
        for field in [&mut bare.name, &mut bare.email, &mut bare.date_of_birth] {
            field.clear();
        }
        let entry = NewEvent::read(&bare).unwrap().unwrap();
        assert_eq!((entry.kind, entry.name, entry.date_of_birth), (CREATED, None, None));
    }

    #[test]
    fn what_cannot_be_applied_is_said_without_values() {
        let check = |change: &dyn Fn(&mut PatientEvent), reason: Option<&str>| {
            let mut changed = event();
            change(&mut changed);
            assert_eq!(NewEvent::read(&changed).err(), reason, "{changed:?}");
        };
        let long = "é".repeat(TEXT_MAX_CHARS);
        let longer = "é".repeat(TEXT_MAX_CHARS + 1);
        check(&|_| {}, None);
        check(&|e| e.event_id.clear(), Some("event-id is no UUID"));
        check(&|e| e.patient_id = "7".to_owned(), Some("patient-id is no UUID"));
        check(&|e| e.version = 0, Some("version is below 1"));
        check(&|e| e.version = i64::MAX, None);
        check(&|e| e.event_type.clear(), Some("event-type is missing"));
        check(&|e| e.occurred_at = "yesterday".to_owned(), Some("occurred-at is no RFC 3339"));
        check(&|e| e.date_of_birth.clear(), Some("date-of-birth is missing"));
        let nameless = |e: &mut PatientEvent| {
            e.name.clear();
            e.date_of_birth.clear();
        };
        check(&nameless, Some("date-of-birth is missing"));
        check(&|e| e.date_of_birth = "2023-02-29".to_owned(), Some("date-of-birth is no ISO date"));
        check(&|e| e.registered_date.clear(), None);
        check(&|e| e.registered_date = "x".to_owned(), Some("registered-date is no ISO date"));
        check(&|e| e.name.clear(), None);
        check(&|e| e.name = long.clone(), None);
        check(&|e| e.name = longer.clone(), Some("name cannot be stored"));
        check(&|e| e.email = "a\0b".to_owned(), Some("email cannot be stored"));
    }
}
