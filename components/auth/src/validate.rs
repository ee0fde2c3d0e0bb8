//! `GET /auth/validate`: what a token says, if it is good. For people and for services that cannot
//! verify one themselves; guard does not ask here.
//!
//! The database is not asked: whether a token's session has ended is known where guard knows it
//! from. It is told of tokens that are no good.

use chrono::{DateTime, SecondsFormat};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::caller::Caller;
use kit::problem::{Problem, UNAUTHORIZED};
use kit::refusal::{self, Refused};
use kit::reply::{self, Reply};
use kit::route::Call;
use kit::session;
use serde::Serialize;
use token::{Credentials, Identity, Refusal, Verifier, Why};

use crate::failure::{Failure, failed};
use crate::{settings, store};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Valid {
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    subject: String,
    role: String,
    scope: String,
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    session_id: String,
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    token_id: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    issued_at: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    expires_at: String,
}

/// Answers with what the request's token says, or 401.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    let keys = settings::keys().await.map_err(Failure::from).map_err(failed(call))?;
    let checked = check(call.headers, &keys.verifier, settings::now());
    let identity = match checked {
        Ok(identity) => identity,
        Err(refusal) => {
            if refusal == Refusal::Early {
                call.log_failure("clock-behind-the-token-issuers");
            }
            note(&call.caller, Why::Token(refusal)).await;
            return Err(unauthorized(refusal));
        }
    };
    let ended = session::has_ended(&identity.session.to_string()).await;
    if !ended.map_err(Failure::from).map_err(failed(call))? {
        return Ok(reply::json(StatusCode::OK, &valid(&identity)));
    }
    note(&named(call, &identity), Why::EndedSession).await;
    Err(unauthorized(Refusal::Invalid))
}

async fn note(caller: &Caller, why: Why) {
    let refused = Refused::once(why.code(), "auth.validate");
    refusal::noted(store::DATABASE, caller, refused).await;
}

/// Whose token it is, as whoever asks.
fn named(call: &Call<'_>, identity: &Identity) -> Caller {
    Caller {
        user_id: Some(identity.subject.to_string()),
        role: identity.role.as_str().to_owned(),
        token_id: Some(identity.token_id.to_string()),
        ..call.caller.clone()
    }
}

/// The identity behind the request's one bearer token.
fn check(headers: &HeaderMap, verifier: &Verifier, now: u64) -> Result<Identity, Refusal> {
    let values: Vec<&HeaderValue> = headers.get_all(AUTHORIZATION).iter().collect();
    match token::bearer(&values) {
        Credentials::Missing => Err(Refusal::Missing),
        Credentials::Unusable => Err(Refusal::Invalid),
        Credentials::Token(token) => verifier.verify(token, now).map_err(Refusal::from),
    }
}

fn unauthorized(refusal: Refusal) -> Problem {
    let challenge = HeaderValue::from_static(refusal.challenge());
    Problem::new(UNAUTHORIZED).header(WWW_AUTHENTICATE, challenge)
}

fn valid(identity: &Identity) -> Valid {
    let role = identity.role.as_str();
    // No more than its role has, as guard reads it.
    let mut scopes = policy::scopes(role).to_vec();
    scopes.retain(|scope| identity.scopes.has(scope));
    Valid {
        subject: identity.subject.to_string(),
        role: role.to_owned(),
        scope: scopes.join(" "),
        session_id: identity.session.to_string(),
        token_id: identity.token_id.to_string(),
        issued_at: instant(identity.issued_at),
        expires_at: instant(identity.expires_at),
    }
}

/// Seconds of the Unix epoch as RFC 3339 in UTC.
fn instant(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let moment = DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::UNIX_EPOCH);
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use token::{Grant, Role, Scopes, Signer};
    use uuid::Uuid;

    const PRIVATE: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VwBCIEIFgaH+aXpCD9rYxx3m8qjNFgJ6BOo4UNfZ91yuE8ye73\n\
-----END PRIVATE KEY-----";
    const PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MCowBQYDK2VwAyEAxJHo+wFuOVd6oAflaDLcZ+m5rFJYRW+d1WX3gQRzxdA=\n\
-----END PUBLIC KEY-----";

    fn signer() -> Signer {
        Signer::new(PRIVATE, "https://ward.local/auth", "ward").unwrap()
    }

    fn verifier() -> Verifier {
        Verifier::new(PUBLIC, "https://ward.local/auth", "ward").unwrap()
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn what_a_good_token_says() {
        let grant = Grant {
            subject: Uuid::from_u128(1),
            role: Role::parse("ADMIN").unwrap(),
            scopes: Scopes::parse("audit.read patient.read").unwrap(),
            session: Uuid::from_u128(3),
            token_id: Uuid::from_u128(2),
        };
        let (token, _) = signer().sign(grant, 1_800_000_000).unwrap();
        let headers = headers(&[&format!("bearer {token}")]);
        let identity = check(&headers, &verifier(), 1_800_000_000).unwrap();
        let expected = serde_json::json!({
            "subject": "00000000-0000-0000-0000-000000000001",
            "role": "ADMIN",
            "scope": "patient.read",
            "sessionId": "00000000-0000-0000-0000-000000000003",
            "tokenId": "00000000-0000-0000-0000-000000000002",
            "issuedAt": "2027-01-15T08:00:00Z",
            "expiresAt": "2027-01-15T08:15:00Z",
        });
        assert_eq!(serde_json::to_value(valid(&identity)).unwrap(), expected);
    }

    #[test]
    fn refusals_differ_only_in_whether_there_were_credentials() {
        let cases: [(&[&str], Refusal); 5] = [
            (&[], Refusal::Missing),
            (&["Basic eDp5"], Refusal::Invalid),
            (&["Bearer a.b.c"], Refusal::Invalid),
            (&["Bearer "], Refusal::Invalid),
            (&["Bearer a.b.c", "Bearer a.b.c"], Refusal::Invalid),
        ];
        for (values, refusal) in cases {
            let found = check(&headers(values), &verifier(), 0);
            assert_eq!(found, Err(refusal), "{values:?}");
            let answer = unauthorized(refusal).into_reply(&HeaderMap::new());
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(answer.headers()[WWW_AUTHENTICATE], refusal.challenge());
        }
    }
}
