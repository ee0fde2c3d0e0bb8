//! `POST /auth/refresh`: a refresh token for a new pair.
//!
//! A token is good once. Two requests with the newest one at the same time, such as of two windows
//! of a browser, are told apart by the database: one gets the new pair, the other 409, and the
//! session goes on. Whoever comes with an older one has what somebody else has used since, so that
//! one of the two has stolen it, and the session ends for both.

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use kit::Problem;
use kit::body::{Document, Incoming};
use kit::fields::Fields;
use kit::problem::{INTERNAL, Kind};
use kit::reply::{self, Reply};
use kit::route::Call;
use uuid::Uuid;

use crate::announce;
use crate::failure::{Failure, failed};
use crate::issue::{self, Access, Granted, Refresh};
use crate::settings;
use crate::store;
use crate::store::refresh::{Refused, Rotation, refuse, rotate};

/// The longest refresh token read. Ours have 43 bytes; a token of another kind is no good, and not
/// a mistake in the document.
const TOKEN_BYTES_MAX: usize = 2048;

/// The token is nobody's, or was used before, or its session is over: always the same answer.
const REFUSED: Kind = Kind::new("refresh-refused", "The session is over", StatusCode::UNAUTHORIZED);

/// Another request with the same token came first.
const RACED: Kind = Kind::new(
    "refresh-raced",
    "Another refresh with this token was answered a moment ago",
    StatusCode::CONFLICT,
);

/// Answers a refresh.
pub(crate) async fn answer<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let presented = read(document.json().await?)?;
    let refreshed = refresh(call, &issue::hash(&presented)).await.map_err(failed(call))?;
    let granted = refreshed.map_err(problem)?;
    Ok(reply::json(StatusCode::OK, &granted))
}

pub(crate) fn read(document: serde_json::Value) -> Result<String, Problem> {
    let mut fields = Fields::new(document)?;
    let token = fields.secret("refreshToken", TOKEN_BYTES_MAX);
    fields.finish()?;
    token.ok_or_else(|| Problem::new(INTERNAL))
}

/// The new pair. The session's row is changed before the access token is signed, whose end it
/// therefore knows from the clock: a token lives as long as that says, or ends before.
async fn refresh(call: &Call<'_>, presented: &[u8]) -> Result<Result<Granted, Refused>, Failure> {
    let (keys, next, token_id) = (settings::keys().await?, Refresh::new()?, Uuid::new_v4());
    let database = store::open().await?;
    let now = settings::now();
    let rotation = Rotation {
        presented,
        next: next.hash(),
        token_id,
        access_until: issue::until(now)?,
        access: call.caller.access(),
    };
    let rotated = rotate(&database, rotation).await?;
    let Some(session) = rotated else {
        let refused = refuse(&database, presented, &call.caller.access()).await?;
        announce::leftovers(&database, call).await;
        return Ok(Err(refused));
    };
    announce::leftovers(&database, call).await;
    let who = (session.user.as_str(), session.role.as_str());
    let access = Access::sign(&keys.signer, who, &session.id, token_id, now)?;
    Ok(Ok(Granted::new(access, next, session.seconds)))
}

fn problem(refused: Refused) -> Problem {
    match refused {
        Refused::NoGood => {
            let challenge = HeaderValue::from_static(token::CHALLENGE);
            Problem::new(REFUSED).detail("Log in again.").header(WWW_AUTHENTICATE, challenge)
        }
        Refused::Raced => Problem::new(RACED)
            .detail("Use what that one was given. Once it is lost, log in again.")
            .header(RETRY_AFTER, HeaderValue::from_static("1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents() {
        assert_eq!(read(json!({"refreshToken": "x"})).unwrap(), "x");
        assert!(read(json!({"refreshToken": "x".repeat(TOKEN_BYTES_MAX)})).is_ok());
        for document in [
            json!({}),
            json!({"refreshToken": ""}),
            json!({"refreshToken": 7}),
            json!({"refreshToken": "x".repeat(TOKEN_BYTES_MAX + 1)}),
            json!({"refreshToken": "x", "scope": "audit.read"}),
        ] {
            assert_eq!(read(document).unwrap_err().kind(), kit::problem::VALIDATION);
        }
    }

    #[test]
    fn refusals_have_their_codes() {
        assert_eq!(problem(Refused::NoGood).kind().status.as_u16(), 401);
        assert_eq!(problem(Refused::Raced).kind().status.as_u16(), 409);
    }
}
