//! `GET /auth/validate`: what a token says, if it is good. For people and for services that cannot
//! verify one themselves; guard does not ask here.
//!
//! The database is not asked either, so a user who has been disabled is valid here until the token
//! expires, as everywhere else.

use chrono::{DateTime, SecondsFormat};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::problem::{INTERNAL, Problem, UNAUTHORIZED};
use kit::reply::{self, Reply};
use kit::route::Call;
use serde::Serialize;
use token::{Credentials, Identity, Refusal, Verifier};

use crate::settings;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Valid {
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    subject: String,
    role: String,
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    token_id: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    issued_at: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    expires_at: String,
}

/// Answers with what the request's token says, or 401.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    let signer = settings::signer().await.map_err(|unusable| {
        call.log_failure(unusable.0);
        Problem::new(INTERNAL)
    })?;
    let checked = check(call.headers, &signer.verifier(), settings::now());
    let identity = checked.map_err(|refusal| {
        if refusal == Refusal::Early {
            call.log_failure("clock-behind-the-token-issuers");
        }
        unauthorized(refusal)
    })?;
    Ok(reply::json(StatusCode::OK, &valid(&identity)))
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
    Valid {
        subject: identity.subject.to_string(),
        role: identity.role.as_str().to_owned(),
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
    use token::{Role, Signer};
    use uuid::Uuid;

    const KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VwBCIEIIWXDije1UQD4+yoi84cXH7o+WQRFQp8jHUD4pGhHWem\n\
-----END PRIVATE KEY-----";

    fn signer() -> Signer {
        Signer::new(KEY, "https://ward.local/auth", "ward").unwrap()
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
        let role = Role::parse("ADMIN").unwrap();
        let signed = signer().sign(Uuid::from_u128(1), role, Uuid::from_u128(2), 1_800_000_000);
        let (token, _) = signed.unwrap();
        let headers = headers(&[&format!("bearer {token}")]);
        let identity = check(&headers, &signer().verifier(), 1_800_000_000).unwrap();
        let expected = serde_json::json!({
            "subject": "00000000-0000-0000-0000-000000000001",
            "role": "ADMIN",
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
            let found = check(&headers(values), &signer().verifier(), 0);
            assert_eq!(found, Err(refusal), "{values:?}");
            let answer = unauthorized(refusal).into_reply(&HeaderMap::new());
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(answer.headers()[WWW_AUTHENTICATE], refusal.challenge());
        }
    }
}
