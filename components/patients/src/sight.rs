//! Which patients somebody sees. Restricted ones are for those with the scope for it; for all
//! others they are not there (404: that somebody is a patient here is health data), unless a doctor
//! breaks the glass: gives a reason, which stays in the audit row.

use http::{HeaderMap, HeaderName};
use kit::caller::Caller;
use kit::problem::{BAD_REQUEST, FORBIDDEN};
use kit::route::Call;
use kit::{Problem, database};
use policy::scopes::{PATIENT_BREAK_GLASS, PATIENT_RESTRICT};
use spin_sdk::pg::ParameterValue;

/// The header with the reason.
const REASON: HeaderName = HeaderName::from_static("break-glass-reason");

/// What a reason can be: codes of HL7's PurposeOfUse, and no words, which would be about a patient.
/// Emergency treatment, treatment, and the patient's own request.
pub(crate) const REASONS: [&str; 3] = ["ETREAT", "TREAT", "PATRQT"];

/// Which patients are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Those who are not restricted.
    Plain,
    /// All of them.
    Full,
    /// All of them, for this reason.
    Broken(&'static str),
}

impl Sight {
    /// What a caller sees who wants to read.
    pub(crate) fn of(call: &Call<'_>) -> Result<Self, Problem> {
        Self::read(&call.caller, call.headers)
    }

    /// What a caller sees who wants to change something: a reason is one for reading.
    pub(crate) fn own(caller: &Caller) -> Self {
        if caller.has(PATIENT_RESTRICT) { Self::Full } else { Self::Plain }
    }

    /// A reason that is none is refused from everybody: whoever gave it thought that it counted.
    fn read(caller: &Caller, headers: &HeaderMap) -> Result<Self, Problem> {
        let own = Self::own(caller);
        let mut given = headers.get_all(REASON).iter();
        let Some(reason) = given.next() else { return Ok(own) };
        if own == Self::Plain && !caller.has(PATIENT_BREAK_GLASS) {
            return Err(Problem::new(FORBIDDEN)
                .detail(format!("Break-Glass-Reason takes the scope {PATIENT_BREAK_GLASS}.")));
        }
        let known = REASONS.into_iter().find(|known| known.as_bytes() == reason.as_bytes());
        match known.filter(|_| given.next().is_none()) {
            Some(_) if own == Self::Full => Ok(own),
            Some(reason) => Ok(Self::Broken(reason)),
            None => Err(Problem::new(BAD_REQUEST).detail(format!(
                "Break-Glass-Reason must be one of {}, once.",
                REASONS.join(", ")
            ))),
        }
    }

    /// Whether restricted patients are seen, as the value of `$n::boolean`.
    pub(crate) fn restricted(self) -> ParameterValue {
        ParameterValue::Boolean(self != Self::Plain)
    }

    /// Why they are seen, as the value of `$n::text`; NULL where no reason was needed.
    pub(crate) fn reason(self) -> ParameterValue {
        match self {
            Self::Broken(reason) => database::text(reason),
            Self::Plain | Self::Full => ParameterValue::DbNull,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(role: &str, reasons: &[&str], expected: Result<Sight, u16>) {
        let mut headers = HeaderMap::new();
        for reason in reasons {
            headers.append(REASON, reason.parse().unwrap());
        }
        let caller = Caller { role: role.to_owned(), ..Caller::nobody(&headers) };
        let found = Sight::read(&caller, &headers);
        let found = found.map_err(|problem| problem.kind().status.as_u16());
        assert_eq!(found, expected, "{role} {reasons:?}");
    }

    #[test]
    fn who_sees_whom() {
        check("ADMIN", &[], Ok(Sight::Full));
        check("ADMIN", &["ETREAT"], Ok(Sight::Full));
        check("DOCTOR", &[], Ok(Sight::Plain));
        check("DOCTOR", &["ETREAT"], Ok(Sight::Broken("ETREAT")));
        check("DOCTOR", &["PATRQT"], Ok(Sight::Broken("PATRQT")));
        check("NURSE", &[], Ok(Sight::Plain));
        check("CLERK", &[], Ok(Sight::Plain));
    }

    #[test]
    fn a_reason_is_one_of_a_few_and_given_by_who_may() {
        for reasons in [&[""][..], &["etreat"], &["Jane fainted"], &["ETREAT", "ETREAT"]] {
            check("DOCTOR", reasons, Err(400));
            check("ADMIN", reasons, Err(400));
        }
        check("NURSE", &["ETREAT"], Err(403));
        check("CLERK", &["ETREAT"], Err(403));
    }
}
