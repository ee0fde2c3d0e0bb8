//! Who may pass: the decision, from headers to an identity or to what keeps them out.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};
use kit::log;
use kit::problem::{INTERNAL, Problem, UNAUTHORIZED};
use spin_sdk::wasip3::http::types::Fields;
use token::{Identity, Refusal, Why};

use crate::{revocation, settings};

/// Why somebody does not pass.
pub(crate) enum Stop {
    /// They may not.
    Refused {
        /// The answer.
        problem: Problem,
        /// What the audit log is told.
        why: Why,
        /// Who it is, where the token was good.
        identity: Option<Arc<Identity>>,
    },
    /// It cannot be told whether they may; this is the answer.
    Failed(Problem),
}

/// Who is asking, or what keeps them out. Every token that is no good gets the same,
/// but for one of ours whose time is not now: that a clock is wrong is for operators to know.
pub(crate) async fn admit(headers: &Fields) -> Result<Arc<Identity>, Stop> {
    let values = headers.get("authorization");
    let now = now();
    let trust = settings::trust(now).await.map_err(|unusable| {
        log::failure("guard", unusable.0, &request_id(headers));
        Stop::Failed(Problem::new(INTERNAL))
    })?;
    let identity = trust.admit(&values, now).map_err(|refusal| Stop::Refused {
        problem: refuse(refusal, headers),
        why: Why::Token(refusal),
        identity: None,
    })?;
    if !revocation::has_ended(&identity, headers).await.map_err(Stop::Failed)? {
        return Ok(identity);
    }
    let problem = refuse(Refusal::Invalid, headers);
    Err(Stop::Refused { problem, why: Why::EndedSession, identity: Some(identity) })
}

/// The one header a problem document and a log line want to know. The others stay with the host.
pub(crate) fn request_id(headers: &Fields) -> HeaderMap {
    let mut map = HeaderMap::new();
    for value in headers.get("x-request-id") {
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            map.append("x-request-id", value);
        }
    }
    map
}

fn refuse(refusal: Refusal, headers: &Fields) -> Problem {
    if refusal == Refusal::Early {
        log::failure("guard", "clock-behind-the-token-issuers", &request_id(headers));
    }
    let challenge = HeaderValue::from_static(refusal.challenge());
    Problem::new(UNAUTHORIZED).header(WWW_AUTHENTICATE, challenge)
}

/// Seconds of the Unix epoch; a clock before it reads as 0, when no token is good.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
