//! `POST /auth/login`: an address and a password for a session, of which the answer has the first
//! two tokens.
//!
//! A wrong password, an unknown address and a disabled user get the same answer after the same
//! work: one row looked for, one hash compared, one audit row written, one failure counted. What
//! takes longer is only success; what takes less is only whoever has to wait ([`back_off`]), for
//! whom nothing is compared.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use kit::body::{Document, Incoming};
use kit::fields::Fields;
use kit::log;
use kit::problem::{INTERNAL, Kind, Problem};
use kit::reply::{self, Reply};
use kit::route::Call;
use uuid::Uuid;

use crate::failure::{Failure, failed};
use crate::issue::{self, Access, Granted, Refresh};
use crate::limits::{IDLE_SECONDS, ROUNDS_MAX};
use crate::password::{self, Verdict, rule};
use crate::store::login::{self, Beginning, User};
use crate::{announce, back_off, names, settings, store};

/// The one answer to every login that fails.
const REFUSED: Kind = Kind::new(
    "login-refused",
    "The e-mail address or the password is not right",
    StatusCode::UNAUTHORIZED,
);

pub(crate) struct Credentials {
    email: String,
    password: String,
}

/// Answers a login. The answer is `no-store`, as all of kit's are.
pub(crate) async fn answer<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let credentials = read(document.json().await?)?;
    let granted = log_in(call, &credentials).await.map_err(failed(call))??;
    Ok(reply::json(StatusCode::OK, &granted))
}

/// The document's two fields and no other. The address is a name to look up: whether it has the
/// form of one is no business of whoever logs in, and users may come from elsewhere.
pub(crate) fn read(document: serde_json::Value) -> Result<Credentials, Problem> {
    let mut fields = Fields::new(document)?;
    let email = fields.text("email", names::MAX_CHARS);
    let password = fields.secret("password", rule::BYTES_MAX);
    fields.finish()?;
    let credentials = email.zip(password);
    credentials
        .map(|(email, password)| Credentials { email: names::fold(&email), password })
        .ok_or_else(|| Problem::new(INTERNAL))
}

/// A new pair, or the answer to whoever gets none. Where the user was changed while the password
/// was compared, what is there now is compared with.
async fn log_in(call: &Call<'_>, given: &Credentials) -> Result<Result<Granted, Problem>, Failure> {
    for _ in 0..ROUNDS_MAX {
        match attempt(call, given).await? {
            Attempt::Granted(granted) => return Ok(Ok(granted)),
            Attempt::Refused(problem) => return Ok(Err(problem)),
            Attempt::Changed => {}
        }
    }
    Err(Failure::Passing("user-keeps-changing"))
}

/// How one comparison ended.
enum Attempt {
    Granted(Granted),
    Refused(Problem),
    /// The user is no longer as it was found.
    Changed,
}

/// The token is signed before the session's row and the audit row are written, and handed out
/// after: no row tells of a token that was never made, and no token leaves without them.
async fn attempt(call: &Call<'_>, given: &Credentials) -> Result<Attempt, Failure> {
    let (keys, request_id) = (settings::keys().await?, call.caller.request_id.as_deref());
    let counted = back_off::Keys::of(&given.email, call.headers, &keys.secret);
    let user = match find(call, &given.email, &counted).await? {
        Ok(user) => user,
        Err(too_early) => return Ok(Attempt::Refused(too_early)),
    };
    let stored = user.as_ref().map(|user| user.password_hash.as_str());
    let verdict = password::verify(&given.password, stored);
    if let (Some(user), Verdict::Unusable) = (&user, verdict) {
        log::about("auth.login", "hash-of-unknown-kind", &user.id, request_id);
    }
    let new_hash = match verdict {
        Verdict::RightButOutdated => Some(password::new_hash(&given.password)?),
        Verdict::Right | Verdict::Wrong | Verdict::Unusable => None,
    };
    let database = store::open().await?;
    let Some(user) = admitted(user.as_ref(), verdict) else {
        login::refused(&database, user.as_ref(), &call.caller.access()).await?;
        counted.failed(&database).await?;
        return Ok(Attempt::Refused(refused()));
    };
    let (session, token_id, now) = (Uuid::new_v4().to_string(), Uuid::new_v4(), settings::now());
    let access = Access::sign(&keys.signer, (&user.id, &user.role), &session, token_id, now)?;
    let refresh = Refresh::new()?;
    let beginning = Beginning {
        user,
        session: &session,
        token_id,
        access_until: issue::until(now)?,
        refresh_hash: refresh.hash(),
        address: call.caller.address.as_deref(),
        request_id,
    };
    if !login::begin(&database, beginning).await? {
        return Ok(Attempt::Changed);
    }
    if let Some(new_hash) = new_hash {
        login::replace_hash(&database, user, &new_hash).await?;
    }
    counted.succeeded(&database).await?;
    announce::leftovers(&database, call).await;
    Ok(Attempt::Granted(Granted::new(access, refresh, IDLE_SECONDS)))
}

/// The user with this address, unless somebody has to wait. The connection goes back before the
/// hash is compared, which takes longer than all else: nobody waits for a connection because others
/// compute.
async fn find(
    call: &Call<'_>,
    email: &str,
    counted: &back_off::Keys,
) -> Result<Result<Option<User>, Problem>, Failure> {
    let database = store::open().await?;
    match counted.admit(&database).await? {
        Ok(()) => Ok(Ok(login::find(&database, email).await?)),
        Err(too_early) => {
            login::too_early(&database, &call.caller.access()).await?;
            Ok(Err(too_early))
        }
    }
}

fn refused() -> Problem {
    let challenge = HeaderValue::from_static(token::CHALLENGE);
    Problem::new(REFUSED).header(WWW_AUTHENTICATE, challenge)
}

/// The user, if there is one who may log in and the password was right.
fn admitted(user: Option<&User>, verdict: Verdict) -> Option<&User> {
    let right = matches!(verdict, Verdict::Right | Verdict::RightButOutdated);
    user.filter(|user| right && !user.disabled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(disabled: bool) -> User {
        let id = Uuid::from_u128(1).to_string();
        User { id, role: "ADMIN".to_owned(), password_hash: String::new(), disabled }
    }

    #[test]
    fn only_a_present_enabled_user_with_the_right_password_is_admitted() {
        let (enabled, disabled) = (user(false), user(true));
        let cases = [
            (Some(&enabled), Verdict::Right, true),
            (Some(&enabled), Verdict::RightButOutdated, true),
            (Some(&enabled), Verdict::Wrong, false),
            (Some(&disabled), Verdict::Right, false),
            (Some(&disabled), Verdict::RightButOutdated, false),
            (Some(&enabled), Verdict::Unusable, false),
            (None, Verdict::Right, false),
            (None, Verdict::Wrong, false),
        ];
        for (user, verdict, expected) in cases {
            assert_eq!(admitted(user, verdict).is_some(), expected, "{verdict:?}");
        }
    }

    #[test]
    fn documents() {
        let good = read(json!({"email": "Test@Example.com", "password": " p "})).ok().unwrap();
        assert_eq!((good.email.as_str(), good.password.as_str()), ("test@example.com", " p "));
        for name in ["admin", "ADMIN@localhost", "M\u{fc}ller@example.com", "a@b.cd."] {
            let read = read(json!({"email": name, "password": "p"})).ok().unwrap();
            assert_eq!(read.email, name.to_lowercase());
        }
        let longest = "p".repeat(rule::BYTES_MAX);
        assert!(read(json!({"email": "a@b.cd", "password": longest})).is_ok());
        for document in [
            json!({}),
            json!({"email": "a@b.cd"}),
            json!({"password": "p"}),
            json!({"email": "a@b.cd", "password": ""}),
            json!({"email": "a@b.cd", "password": 1}),
            json!({"email": "a@b.cd", "password": format!("{longest}p")}),
            json!({"email": "a\u{0}@b.cd", "password": "p"}),
            json!({"email": "x".repeat(255), "password": "p"}),
            json!({"email": "a@b.cd", "password": "p", "role": "ADMIN"}),
        ] {
            let problem = read(document.clone()).err().unwrap();
            assert_eq!(problem.kind(), kit::problem::VALIDATION, "{document}");
        }
    }
}
