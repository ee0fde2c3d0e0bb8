//! What was refused, for the audit log: each of a few by itself, and more of them counted, so that
//! a flood leaves few rows (the migrations say how few).
//!
//! Guard refuses before the component behind runs, and has no database. So it has that component
//! write it down, by a request of its own with headers that nobody else can set: the host takes a
//! client's out, and guard does.

use http::{HeaderMap, StatusCode};
use spin_sdk::pg::ParameterValue;

use crate::audit::{Access, optional};
use crate::caller::Caller;
use crate::database::{self, Database, Fault};
use crate::problem::{BAD_REQUEST, INTERNAL, Problem};
use crate::{Reply, identity, log, reply};

/// The outcome that the row has, such as `BAD_TOKEN`. A request with it asks for nothing else.
pub const OUTCOME: &str = "ward-refused";
/// What was asked for, by the name that the policy has for it.
pub const OPERATION: &str = "ward-refused-operation";
/// How many requests it were.
pub const TIMES: &str = "ward-refused-times";

/// What the audit log calls it when somebody was refused before an operation ran.
pub const ACTION: &str = "REFUSED";

/// The longest code of an action or an outcome.
const CODE_MAX: usize = 32;

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused<'a> {
    /// The action that the row has.
    pub action: &'a str,
    /// Its outcome.
    pub outcome: &'a str,
    /// What was asked for, by the name that the policy has for it.
    pub operation: Option<&'a str>,
    /// How many requests it were.
    pub times: i64,
}

impl<'a> Refused<'a> {
    /// One request for this operation.
    pub fn once(outcome: &'a str, operation: &'a str) -> Self {
        Self { action: ACTION, outcome, operation: Some(operation), times: 1 }
    }

    /// What somebody says who refuses for this component; `None` where it is not as it should be.
    /// An operation that is no plain word is left out.
    pub fn told(outcome: &'a str, operation: Option<&'a str>, times: i64) -> Option<Self> {
        let operation = operation.and_then(identity::short_word);
        let told = Self { action: ACTION, outcome, operation, times };
        (is_code(outcome) && times > 0).then_some(told)
    }

    /// What guard says.
    fn read(headers: &'a HeaderMap) -> Option<Self> {
        let text = |name| identity::single(headers, name);
        Self::told(text(OUTCOME)?, text(OPERATION), text(TIMES)?.parse().ok()?)
    }
}

/// Whether it can be the code of an action or an outcome.
pub(crate) fn is_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    (1..=CODE_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// Writes it down, in the name of whoever asked.
pub async fn note(
    database: &Database,
    access: &Access<'_>,
    refused: Refused<'_>,
) -> Result<(), Fault> {
    const NOTE: &str = "SELECT note_refusals($1::uuid, $2::text, $3::text, $4::text, \
        $5::text::inet, $6::text, $7::text, $8::text, $9::bigint)";
    let what = [
        database::text(refused.action),
        database::text(refused.outcome),
        optional(refused.operation),
        ParameterValue::Int64(refused.times),
    ];
    database.execute(NOTE, access.values(what)).await
}

/// The same, by a connection of its own to the database whose address is in this variable; whether
/// it was written down. If not, the log says why: who was refused is refused all the same.
pub async fn noted(variable: &str, caller: &Caller, refused: Refused<'_>) -> bool {
    let noted = async {
        let database = Database::open(variable).await?;
        note(&database, &caller.access(), refused).await
    };
    let fault = noted.await.err();
    if let Some(fault) = &fault {
        log::failure_in("audit.refused", fault.cause(), caller.request_id.as_deref());
    }
    fault.is_none()
}

/// Answers guard, if it is guard who asks.
pub async fn answer(headers: &HeaderMap, variable: &str) -> Option<Result<Reply, Problem>> {
    if !headers.contains_key(OUTCOME) {
        return None;
    }
    let Some(refused) = Refused::read(headers) else {
        return Some(Err(Problem::new(BAD_REQUEST)));
    };
    // Who has no good token has no headers that name them.
    let caller = Caller::from_headers(headers).unwrap_or_else(|_| Caller::nobody(headers));
    Some(match noted(variable, &caller, refused).await {
        true => Ok(reply::empty(StatusCode::NO_CONTENT)),
        false => Err(Problem::new(INTERNAL)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Option<(String, Option<String>, i64)> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let refused = Refused::read(&map)?;
        assert_eq!(refused.action, "REFUSED");
        let operation = refused.operation.map(str::to_owned);
        Some((refused.outcome.to_owned(), operation, refused.times))
    }

    #[test]
    fn what_guard_says() {
        let (code, times) = ((OUTCOME, "BAD_TOKEN"), (TIMES, "7"));
        assert_eq!(read(&[code, times]), Some(("BAD_TOKEN".to_owned(), None, 7)));
        let operation = Some("patients.read".to_owned());
        let found = read(&[code, times, (OPERATION, "patients.read")]);
        assert_eq!(found, Some(("BAD_TOKEN".to_owned(), operation, 7)));
        for wrong in [
            vec![code],
            vec![times],
            vec![code, code, times],
            vec![(OUTCOME, "bad token"), times],
            vec![code, (TIMES, "0")],
            vec![code, (TIMES, "-1")],
            vec![code, (TIMES, "many")],
        ] {
            assert_eq!(read(&wrong), None, "{wrong:?}");
        }
        let (long, odd) = ("A".repeat(CODE_MAX + 1), [(OPERATION, "a b")]);
        assert_eq!(read(&[(OUTCOME, long.as_str()), times]), None);
        assert_eq!(read(&[code, times, odd[0]]), Some(("BAD_TOKEN".to_owned(), None, 7)));
    }
}
