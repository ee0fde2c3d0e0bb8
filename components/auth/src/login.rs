//! `POST /auth/login`: an address and a password for a token.
//!
//! A wrong password, an unknown address and a disabled user get the same answer after the same
//! work: one row looked for, one hash compared, one audit row written. What takes longer is only
//! success.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use kit::body::{Document, Incoming};
use kit::database::{Database, Fault};
use kit::fields::Fields;
use kit::log;
use kit::problem::{INTERNAL, Kind, Problem};
use kit::reply::{self, Reply};
use kit::route::Call;
use serde::Serialize;
use token::Role;
use uuid::Uuid;

use crate::password::{self, SALT_BYTES, Verdict};
use crate::settings::{self, Unusable};
use crate::users::{self, Outcome, User};

/// The longest name read, in characters: the users' table has no longer ones.
const NAME_MAX_CHARS: usize = 254;

/// The longest password read. argon2 would take more; nobody types it.
const PASSWORD_BYTES_MAX: usize = 1024;

/// The one answer to every login that fails.
const REFUSED: Kind = Kind::new(
    "login-refused",
    "The e-mail address or the password is not right",
    StatusCode::UNAUTHORIZED,
);

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Granted<'a> {
    token: &'a str,
    token_type: &'a str,
    expires_in: u64,
}

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
    let request_id = call.caller.request_id.as_deref();
    let granted = log_in(request_id, &credentials).await.map_err(|failure| {
        call.log_failure(failure.cause());
        Problem::from(&failure)
    })?;
    let refused = || {
        let challenge = HeaderValue::from_static(token::CHALLENGE);
        Problem::new(REFUSED).header(WWW_AUTHENTICATE, challenge)
    };
    let token = granted.ok_or_else(refused)?;
    let granted =
        Granted { token: &token, token_type: "Bearer", expires_in: token::LIFETIME_SECONDS };
    Ok(reply::json(StatusCode::OK, &granted))
}

/// The document's two fields and no other. The address is a name to look up: whether it has the
/// form of one is no business of whoever logs in, and users may come from elsewhere.
pub(crate) fn read(document: serde_json::Value) -> Result<Credentials, Problem> {
    let mut fields = Fields::new(document)?;
    let email = fields.text("email", NAME_MAX_CHARS);
    let password = fields.secret("password", PASSWORD_BYTES_MAX);
    fields.finish()?;
    let credentials = email.zip(password);
    credentials
        .map(|(email, password)| Credentials { email: email.to_lowercase(), password })
        .ok_or_else(|| Problem::new(INTERNAL))
}

/// A token, or `None` where the credentials are not right. The token is signed before the audit
/// row is written and handed out after: no row tells of a token that was never made, and no token
/// leaves without its row.
async fn log_in(request_id: Option<&str>, given: &Credentials) -> Result<Option<String>, Failure> {
    let signer = settings::signer().await?;
    let user = find(&given.email).await?;
    let stored = user.as_ref().map(|user| user.password_hash.as_str());
    let verdict = password::verify(&given.password, stored);
    if let (Some(user), Verdict::Unusable) = (&user, verdict) {
        log::about("auth.login", "hash-of-unknown-kind", &user.id, request_id);
    }
    let database = Database::open("db_url").await?;
    let Some(user) = admitted(user.as_ref(), verdict) else {
        let user = user.as_ref();
        users::record(&database, user, Outcome::Failure, request_id, None).await?;
        return Ok(None);
    };
    let new_hash = match verdict {
        Verdict::RightButOutdated => Some(password::hash(&given.password, salt()?)?),
        Verdict::Right | Verdict::Wrong | Verdict::Unusable => None,
    };
    let subject = Uuid::parse_str(&user.id).map_err(|_| Failure::Other("user-id"))?;
    let role = Role::parse(&user.role).ok_or(Failure::Other("user-role"))?;
    let token_id = Uuid::new_v4();
    let signed = signer.sign(subject, role, token_id, settings::now());
    let (token, _) = signed.map_err(|_| Failure::Other("sign"))?;
    let outcome = Outcome::Success(token_id);
    users::record(&database, Some(user), outcome, request_id, new_hash.as_deref()).await?;
    Ok(Some(token))
}

/// The user with this address. The connection goes back before the hash is compared, which takes
/// longer than all else: nobody waits for a connection because others compute.
async fn find(email: &str) -> Result<Option<User>, Fault> {
    let database = Database::open("db_url").await?;
    users::find(&database, email).await
}

/// The user, if there is one who may log in and the password was right.
fn admitted(user: Option<&User>, verdict: Verdict) -> Option<&User> {
    let right = matches!(verdict, Verdict::Right | Verdict::RightButOutdated);
    user.filter(|user| right && !user.disabled)
}

fn salt() -> Result<[u8; SALT_BYTES], Failure> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|_| Failure::Other("random"))?;
    Ok(salt)
}

/// Why a login could not be decided. Holds no text that came with the request.
#[derive(Debug)]
enum Failure {
    Database(Fault),
    Other(&'static str),
}

impl Failure {
    fn cause(&self) -> &str {
        match self {
            Self::Database(fault) => fault.cause(),
            Self::Other(cause) => cause,
        }
    }
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Database(fault) => Problem::from(fault),
            Failure::Other(_) => Problem::new(INTERNAL),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Database(fault)
    }
}

impl From<Unusable> for Failure {
    fn from(unusable: Unusable) -> Self {
        Self::Other(unusable.0)
    }
}

impl From<password::HashError> for Failure {
    fn from(_: password::HashError) -> Self {
        Self::Other("hash")
    }
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
        let longest = "p".repeat(PASSWORD_BYTES_MAX);
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

    #[test]
    fn the_answer_has_the_agreed_fields() {
        let granted = Granted { token: "t", token_type: "Bearer", expires_in: 900 };
        let expected = json!({"token": "t", "tokenType": "Bearer", "expiresIn": 900});
        assert_eq!(serde_json::to_value(granted).unwrap(), expected);
    }
}
