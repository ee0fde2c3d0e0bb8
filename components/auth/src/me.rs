//! `/auth/me`: one's own user.

use http::StatusCode;
use kit::body::{Document, Incoming};
use kit::etag::Expected;
use kit::problem::{FieldError, UNAUTHORIZED, VALIDATION};
use kit::route::Call;
use kit::{Problem, Reply, reply};

use crate::bodies::{Passwords, Profile};
use crate::failure::{Failure, failed};
use crate::password::{self, Verdict, rule};
use crate::store::{self, users};
use crate::{announce, back_off, settings, users as administration};

/// `GET /auth/me`
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, Problem> {
    administration::read_as(call, own_id(call)?, "PROFILE_READ").await
}

/// `PUT /auth/me`
pub(crate) async fn replace<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let expected = Expected::from_headers(call.headers)?;
    let own = Profile::read(document.json().await?, own_id(call)?, &call.caller.role)?;
    let changed = async {
        let database = store::open().await?;
        Ok(users::profile(&database, &call.caller.access(), &own, &expected).await?)
    };
    let user = administration::refused(call, changed.await)?;
    Ok(administration::shown(StatusCode::OK, &user))
}

/// `PUT /auth/me/password`
pub(crate) async fn change_password<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let passwords = Passwords::read(document.json().await?)?;
    match change(call, own_id(call)?, &passwords).await.map_err(failed(call))? {
        Changed::Done => Ok(reply::empty(StatusCode::NO_CONTENT)),
        Changed::Nobody => Err(Problem::new(UNAUTHORIZED)),
        Changed::TooEarly(problem) => Err(problem),
        Changed::Wrong => Err(invalid("/oldPassword", "is not your password")),
        Changed::Refused(expected) => Err(invalid("/newPassword", expected)),
    }
}

/// What has become of a change of password.
enum Changed {
    Done,
    /// The caller is no user any more.
    Nobody,
    /// Too many guesses at the old password.
    TooEarly(Problem),
    /// The old password is not right.
    Wrong,
    /// The new one may not be; what is expected.
    Refused(&'static str),
}

/// Compares and changes. The connection goes back in between, as in a login: nobody waits for one
/// because others compute.
async fn change(call: &Call<'_>, id: &str, passwords: &Passwords) -> Result<Changed, Failure> {
    let database = store::open().await?;
    let Some(own) = store::password::own(&database, id).await? else {
        return Ok(Changed::Nobody);
    };
    if let Err(expected) = rule::check(&passwords.new, &own.email) {
        return Ok(Changed::Refused(expected));
    }
    let keys = settings::keys().await?;
    let counted = back_off::Keys::of(&own.email, call.headers, &keys.secret);
    if let Err(too_early) = counted.admit(&database).await? {
        store::password::too_early(&database, &call.caller.access()).await?;
        return Ok(Changed::TooEarly(too_early));
    }
    drop(database);
    let access = call.caller.access();
    let verdict = password::verify(&passwords.old, Some(&own.hash));
    if !matches!(verdict, Verdict::Right | Verdict::RightButOutdated) {
        let database = store::open().await?;
        store::password::refused(&database, &access).await?;
        counted.failed(&database).await?;
        return Ok(Changed::Wrong);
    }
    let new = password::new_hash(&passwords.new)?;
    let session = call.caller.session_id.as_deref();
    let database = store::open().await?;
    if !store::password::change(&database, &access, [&own.hash, &new], session).await? {
        return Err(Failure::Passing("password-changed-meanwhile"));
    }
    announce::announce(&database).await?;
    Ok(Changed::Done)
}

fn own_id<'a>(call: &'a Call<'_>) -> Result<&'a str, Problem> {
    call.caller.user_id.as_deref().ok_or_else(|| Problem::new(UNAUTHORIZED))
}

fn invalid(pointer: &str, expected: &str) -> Problem {
    Problem::new(VALIDATION)
        .detail("The fields named in errors have to be corrected.")
        .errors(vec![FieldError::at(pointer, expected)])
}
