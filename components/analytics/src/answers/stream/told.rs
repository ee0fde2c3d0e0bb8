//! Whom a stream told of, for the audit log: the first after a while before they are told, and
//! those that follow soon together, so that a row is not written for each event. What was told in
//! the last of these whiles is lost with a ward that is killed, and not with one that is stopped.

use std::collections::BTreeSet;
use std::time::Instant;

use kit::caller::Caller;
use kit::database::Fault;
use spin_sdk::pg::ParameterValue;

use super::recent::Piece;
use crate::limits::{TOLD_EVERY, TOLD_MAX};

/// What has been told, or is about to be, and is in no row yet.
pub(super) struct Told {
    caller: Caller,
    patients: BTreeSet<String>,
    events: i64,
    noted: Option<Instant>,
}

impl Told {
    /// Nothing, to this caller.
    pub(super) fn to(caller: &Caller) -> Self {
        Self { caller: caller.clone(), patients: BTreeSet::new(), events: 0, noted: None }
    }

    /// Adds events that are about to be told.
    pub(super) fn add(&mut self, news: &[(i64, Piece)]) {
        self.events += i64::try_from(news.len()).unwrap_or(i64::MAX);
        self.patients.extend(news.iter().map(|(_, piece)| piece.patient.clone()));
    }

    /// Whether a row is due at `now`.
    fn is_due(&self, now: Instant) -> bool {
        let rested = self.noted.is_none_or(|at| now.duration_since(at) >= TOLD_EVERY);
        self.events > 0 && (rested || self.patients.len() >= TOLD_MAX)
    }

    /// Writes a row, if one is due.
    pub(super) async fn note_in_time(&mut self) -> Result<(), Fault> {
        if self.is_due(Instant::now()) { self.note().await } else { Ok(()) }
    }

    /// Writes what is in no row yet. Where that fails it is still in none.
    pub(super) async fn note(&mut self) -> Result<(), Fault> {
        if self.events == 0 {
            return Ok(());
        }
        let patients = self.patients.iter().cloned().map(Some).collect();
        let what = [ParameterValue::Int64(self.events), ParameterValue::ArrayStr(patients)];
        let values = self.caller.access().values(what);
        let database = crate::database().await?;
        database.execute(include_str!("../../store/stream_told.sql"), values).await?;
        (self.patients, self.events, self.noted) = (BTreeSet::new(), 0, Some(Instant::now()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn news(patients: impl IntoIterator<Item = usize>) -> Vec<(i64, Piece)> {
        let piece = |patient: usize| Piece { patient: patient.to_string(), ..Piece::default() };
        patients.into_iter().map(|patient| (0, piece(patient))).collect()
    }

    #[test]
    fn the_first_are_noted_at_once_and_those_after_them_together() {
        let (mut told, now) = (Told::to(&Caller::nobody(&HeaderMap::new())), Instant::now());
        assert!(!told.is_due(now), "there is nothing");
        told.add(&news([1, 2, 1]));
        assert_eq!((told.events, told.patients.len()), (3, 2));
        assert!(told.is_due(now));
        told.noted = Some(now);
        assert!(!told.is_due(now + TOLD_EVERY / 2));
        assert!(told.is_due(now + TOLD_EVERY));
        told.add(&news(0..TOLD_MAX));
        assert!(told.is_due(now), "a row has no more than so many");
    }
}
