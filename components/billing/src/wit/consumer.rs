//! `pms:patients/consumer`: an account exists for each patient ever created and is closed for each
//! deleted or erased, also when nobody answered at the time. There is nothing else to erase: no
//! name ever came in.
//!
//! Nothing is remembered of an event. Opening and closing have one effect however often they are
//! asked for, and an account that was closed is never opened again: so a batch that comes twice, or
//! after the same was done over the link, changes nothing. In a batch all accounts are opened
//! before any is closed, which is right for each patient whatever their order: closing has the last
//! word.

use kit::{identity, log};

use super::Component;
use crate::bindings::exports::pms::patients::consumer::{Delivery, Guest, Outcome};
use crate::bindings::pms::patients::events::PatientEvent;
use crate::check;
use crate::limits::{RETRY_AWAY_MS, RETRY_BROKEN_MS};
use crate::service::{self, Wishes};
use crate::store::{Restriction, Wish};

impl Guest for Component {
    async fn consume(deliveries: Vec<Delivery>) -> Vec<Outcome> {
        let mut wishes = Wishes::default();
        let read = deliveries
            .iter()
            .map(|delivery| read(&delivery.event, trace(&delivery.position.headers), &mut wishes));
        let mut outcomes: Vec<Outcome> = read.collect();
        if let Err(fault) = service::settle(wishes).await {
            log::failure_in("billing.consume", fault.cause(), None);
            let pause = if fault.is_passing() { RETRY_AWAY_MS } else { RETRY_BROKEN_MS };
            outcomes.iter_mut().for_each(|outcome| again(outcome, pause));
        }
        outcomes
    }
}

/// Takes up what an event asks for. A kind that is not known here asks for nothing, as everywhere
/// (docs/events.md): other services may have learnt it before this one has to.
fn read(event: &PatientEvent, traceparent: Option<&str>, wishes: &mut Wishes) -> Outcome {
    let wanted = match event.event_type.as_str() {
        "PATIENT_CREATED" => &mut wishes.open,
        "PATIENT_DELETED" | "PATIENT_ERASED" => &mut wishes.close,
        "PATIENT_UPDATED" => return restriction(event, wishes),
        "" => return Outcome::Reject("event-type is missing".to_owned()),
        _ => return Outcome::Done,
    };
    let (patient_id, event_id) = (check::id(&event.patient_id), check::id(&event.event_id));
    match (patient_id, event_id) {
        (Ok(patient_id), Ok(event_id)) => {
            let traceparent = traceparent.map(str::to_owned);
            wanted.push(Wish { patient_id, event_id: Some(event_id), traceparent });
            Outcome::Done
        }
        (Err(_), _) => Outcome::Reject("patient-id is no UUID".to_owned()),
        (_, Err(_)) => Outcome::Reject("event-id is no UUID".to_owned()),
    }
}

/// Takes up what a change says of who may learn of the patient.
fn restriction(event: &PatientEvent, wishes: &mut Wishes) -> Outcome {
    let Ok(patient_id) = check::id(&event.patient_id) else {
        return Outcome::Reject("patient-id is no UUID".to_owned());
    };
    let (version, restricted) = (event.version, event.restricted);
    wishes.restrict.push(Restriction { patient_id, version, restricted });
    Outcome::Done
}

/// The trace that an event belongs to: what comes of the event belongs to it as well.
fn trace(headers: &[(String, String)]) -> Option<&str> {
    let (_, value) = headers.iter().find(|(name, _)| name == "traceparent")?;
    identity::traceparent_in(value)
}

/// What was not applied comes again. What of it was applied all the same is not applied twice.
fn again(outcome: &mut Outcome, pause: u32) {
    if matches!(outcome, Outcome::Done) {
        *outcome = Outcome::Retry(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: &str = "123E4567-e89b-12d3-a456-426614174000";
    const EVENT: &str = "00000000-0000-0000-0000-000000000001";

    fn event(kind: &str, patient_id: &str, event_id: &str) -> PatientEvent {
        PatientEvent {
            patient_id: patient_id.to_owned(),
            name: String::new(),
            email: String::new(),
            event_type: kind.to_owned(),
            event_id: event_id.to_owned(),
            version: 1,
            occurred_at: "2024-02-29T01:02:03Z".to_owned(),
            date_of_birth: String::new(),
            registered_date: String::new(),
            restricted: false,
        }
    }

    #[test]
    fn events_ask_for_accounts() {
        let check = |kind, patient, id, outcome: &str, asked: (usize, usize)| {
            let mut wishes = Wishes::default();
            let read = read(&event(kind, patient, id), None, &mut wishes);
            assert_eq!(format!("{read:?}"), outcome, "{kind} {patient} {id}");
            assert_eq!((wishes.open.len(), wishes.close.len()), asked, "{kind} {patient} {id}");
        };
        check("PATIENT_CREATED", PATIENT, EVENT, "Outcome::Done", (1, 0));
        check("PATIENT_DELETED", PATIENT, EVENT, "Outcome::Done", (0, 1));
        check("PATIENT_ERASED", PATIENT, EVENT, "Outcome::Done", (0, 1));
        check("PATIENT_UPDATED", PATIENT, EVENT, "Outcome::Done", (0, 0));
        check("PATIENT_MERGED", "7", "", "Outcome::Done", (0, 0));
        check("", PATIENT, EVENT, "Outcome::Reject(\"event-type is missing\")", (0, 0));
        let refused = |field: &str| format!("Outcome::Reject(\"{field} is no UUID\")");
        check("PATIENT_CREATED", "7", EVENT, &refused("patient-id"), (0, 0));
        check("PATIENT_DELETED", PATIENT, "", &refused("event-id"), (0, 0));
    }

    #[test]
    fn what_comes_of_an_event_is_of_its_trace() {
        let header = |value: &str| [("traceparent".to_owned(), value.to_owned())];
        let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let headers = header(sent);
        let mut wishes = Wishes::default();
        read(&event("PATIENT_CREATED", PATIENT, EVENT), trace(&headers), &mut wishes);
        assert_eq!(wishes.open[0].traceparent.as_deref(), Some(sent));
        assert_eq!(trace(&header("Jane Roe")), None);
        assert_eq!(trace(&[]), None);
    }

    #[test]
    fn a_change_says_who_may_learn_of_the_patient() {
        let mut wishes = Wishes::default();
        let mut changed = event("PATIENT_UPDATED", PATIENT, EVENT);
        (changed.version, changed.restricted) = (7, true);
        assert!(matches!(read(&changed, None, &mut wishes), Outcome::Done));
        let patient_id = PATIENT.to_lowercase();
        assert_eq!(wishes.restrict, [Restriction { patient_id, version: 7, restricted: true }]);
        changed.patient_id = "7".to_owned();
        assert!(matches!(read(&changed, None, &mut wishes), Outcome::Reject(_)));
    }

    #[test]
    fn only_what_was_taken_up_comes_again() {
        let mut outcomes = [Outcome::Done, Outcome::Reject("x".to_owned())];
        outcomes.iter_mut().for_each(|outcome| again(outcome, 7));
        assert!(matches!(outcomes, [Outcome::Retry(7), Outcome::Reject(_)]), "{outcomes:?}");
    }
}
