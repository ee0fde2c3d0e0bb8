//! `/auth/users`: users as administrators keep them. Who may is the policy's business.
//!
//! Whatever ends sessions is answered once everybody who verifies tokens can know of it.

use http::header::{ETAG, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::body::{Document, Incoming};
use kit::etag::Expected;
use kit::problem::{CONFLICT, FieldError, INTERNAL, NOT_FOUND, VALIDATION};
use kit::query::{self, Query};
use kit::route::Call;
use kit::seal::Seal;
use kit::{Problem, Reply, etag, page, reply, uuid};

use crate::bodies::{Changes, FIXED, NewUser};
use crate::failure::{Failure, failed};
use crate::store::users::{self, Filters, Outcome, Refusal, Replacement, User};
use crate::{announce, names, password, store};

/// Where the collection is. A user is one segment below.
const COLLECTION: &str = "/auth/users";

/// `GET /auth/users`
pub(crate) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let (filters, limit, cursor) = question(call.query)?;
    let seal = Seal::own(store::open()).await.map_err(Failure::from).map_err(failed(call))?;
    let after = cursor.map(|cursor| position(&seal, &cursor, &filters)).transpose()?;
    let found = async {
        let database = store::open().await?;
        let access = call.caller.access();
        Ok::<_, Failure>(users::list(&database, &access, &filters, limit, after.as_deref()).await?)
    };
    let (users, more) = found.await.map_err(failed(call))?;
    let answer = reply::json(StatusCode::OK, &users);
    match users.last().filter(|_| more) {
        Some(last) => page::linked(answer, next_link(&seal, &filters, limit, &last.id)),
        None => Ok(answer),
    }
}

/// `POST /auth/users`
pub(crate) async fn create<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let NewUser { draft, password } = NewUser::read(document.json().await?)?;
    let made = async {
        let hash = password::new_hash(&password)?;
        let database = store::open().await?;
        Ok::<_, Failure>(users::create(&database, &call.caller.access(), &draft, &hash).await?)
    };
    let user = refused(call, made.await)?;
    let mut answer = shown(StatusCode::CREATED, &user);
    if let Ok(location) = HeaderValue::try_from(format!("{COLLECTION}/{}", user.id)) {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

/// `GET /auth/users/{id}`
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, Problem> {
    read_as(call, &call.id("id")?, "USER_READ").await
}

/// The answer to whoever reads a user, one's own or another.
pub(crate) async fn read_as(call: &Call<'_>, id: &str, action: &str) -> Result<Reply, Problem> {
    let found = async {
        let database = store::open().await?;
        Ok::<_, Failure>(users::read(&database, &call.caller.access(), id, action).await?)
    };
    let user = found.await.map_err(failed(call))?.ok_or_else(not_found)?;
    if etag::is_known(call.headers, user.version) {
        return Ok(reply::not_modified(user.version));
    }
    Ok(shown(StatusCode::OK, &user))
}

/// `PUT /auth/users/{id}`
pub(crate) async fn replace<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let id = call.id("id")?;
    let expected = Expected::from_headers(call.headers)?;
    let Changes { draft, disabled, password, kept } = Changes::read(document.json().await?, &id)?;
    if password.is_some() && call.caller.user_id.as_deref() == Some(id.as_str()) {
        return Err(own_password());
    }
    let changed = async {
        let hash = password.as_deref().map(password::new_hash).transpose()?;
        let (id, draft, hash) = (id.as_str(), &draft, hash.as_deref());
        let (expected, kept) = (&expected, &kept);
        let replacement = Replacement { id, draft, disabled, hash, expected, kept };
        let database = store::open().await?;
        let changed = users::replace(&database, &call.caller.access(), &replacement).await?;
        announce::announce(&database).await?;
        Ok(changed)
    };
    Ok(shown(StatusCode::OK, &refused(call, changed.await)?))
}

/// `DELETE /auth/users/{id}`
pub(crate) async fn delete(call: &Call<'_>) -> Result<Reply, Problem> {
    let id = call.id("id")?;
    let expected = Expected::from_headers(call.headers)?;
    let gone = async {
        let database = store::open().await?;
        let gone = users::delete(&database, &call.caller.access(), &id, &expected).await?;
        announce::announce(&database).await?;
        Ok(gone)
    };
    refused(call, gone.await)?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// An answer with a user in it.
pub(crate) fn shown(status: StatusCode, user: &User) -> Reply {
    let mut answer = reply::json(status, user);
    answer.headers_mut().insert(ETAG, etag::of(user.version));
    answer
}

/// What came of a change: the user, or the answer to whoever asked for it.
pub(crate) fn refused(
    call: &Call<'_>,
    outcome: Result<Outcome<User>, Failure>,
) -> Result<User, Problem> {
    outcome.map_err(failed(call))?.map_err(|refusal| problem(refusal, call.headers))
}

fn not_found() -> Problem {
    Problem::new(NOT_FOUND).detail("There is no user with this id.")
}

/// A token alone does not change the password of whoever it was stolen from.
fn own_password() -> Problem {
    Problem::new(CONFLICT)
        .detail("One's own password is changed at /auth/me/password, which asks for the old one.")
        .errors(vec![FieldError::at("/password", "is your own")])
}

fn problem(refusal: Refusal, request: &HeaderMap) -> Problem {
    match refusal {
        Refusal::NotFound => not_found(),
        Refusal::Stale => etag::stale(request, "The user"),
        Refusal::EmailTaken => Problem::new(CONFLICT)
            .detail("Another user has this e-mail address.")
            .errors(vec![FieldError::at("/email", "is in use")]),
        Refusal::Fixed(field) => {
            Problem::new(VALIDATION).errors(vec![FieldError::at(&format!("/{field}"), FIXED)])
        }
        Refusal::NoAddress => Problem::new(VALIDATION).errors(vec![FieldError::at(
            "/email",
            "must be an e-mail address, or be left as it is",
        )]),
        Refusal::LastAdministrator => Problem::new(CONFLICT)
            .detail("This is the last administrator: nobody could make another one."),
    }
}

/// The filters, how many, and after whom, as it was sent.
pub(crate) fn question(query: &str) -> Result<(Filters, u32, Option<String>), Problem> {
    let mut query = Query::parse(query)?;
    let filters = Filters {
        email: address(&mut query),
        role: role(&mut query),
        disabled: truth(&mut query, "disabled"),
    };
    let limit = page::limit(&mut query);
    let cursor = query.take("after");
    query.finish()?;
    // Missing only after it failed, and then finish() has returned.
    let limit = limit.ok_or_else(|| Problem::new(INTERNAL))?;
    Ok((filters, limit, cursor))
}

fn address(query: &mut Query) -> Option<String> {
    let given = query.take("email")?;
    let wanted = "must be a whole e-mail address; a + in it is written %2B, as + is a blank here";
    names::asked(&given).or_else(|| query.fail("email", wanted))
}

fn role(query: &mut Query) -> Option<String> {
    let given = query.take("role")?;
    crate::bodies::role(&given).map_err(|expected| query.fail::<()>("role", expected)).ok()
}

fn truth(query: &mut Query, name: &str) -> Option<bool> {
    match query.take(name)?.as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => query.fail(name, "must be true or false"),
    }
}

fn position(seal: &Seal, cursor: &str, filters: &Filters) -> Result<String, Problem> {
    let id = seal.position(cursor, &format!("{filters:?}"));
    id.as_deref()
        .and_then(uuid::parse)
        .ok_or_else(|| query::wrong("after", "must come from a Link header for the same filters"))
}

fn next_link(seal: &Seal, filters: &Filters, limit: u32, last: &str) -> Option<HeaderValue> {
    let (limit, cursor) = (limit.to_string(), seal.cursor(last, &format!("{filters:?}"))?);
    let disabled = filters.disabled.map(|disabled| disabled.to_string());
    let pairs = [
        ("limit", Some(limit.as_str())),
        ("email", filters.email.as_deref()),
        ("role", filters.role.as_deref()),
        ("disabled", disabled.as_deref()),
        ("after", Some(cursor.as_str())),
    ];
    let pairs: Vec<(&str, &str)> =
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    page::next_link(COLLECTION, &pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

    #[test]
    fn refusals_have_their_codes() {
        let check = |refusal: Refusal, status: u16| {
            assert_eq!(problem(refusal, &HeaderMap::new()).kind().status.as_u16(), status);
        };
        check(Refusal::NotFound, 404);
        check(Refusal::Stale, 412);
        check(Refusal::EmailTaken, 409);
        check(Refusal::LastAdministrator, 409);
        check(Refusal::Fixed("createdAt"), 400);
        check(Refusal::NoAddress, 400);
    }

    #[test]
    fn questions() {
        let check = |query: &str, accepted: bool| {
            assert_eq!(question(query).is_ok(), accepted, "{query}");
        };
        check("", true);
        check("limit=500&email=a%2Bb@c.de&role=NURSE&disabled=true", true);
        check("role=nurse", false);
        check("role=OWNER", false);
        check("disabled=yes", false);
        check("email=nobody", false);
        check("email=admin@localhost", true);
        check("email=m%C3%BCller@example.com", true);
        check("email=a+b@c.de", false);
        check("limit=0", false);
        check("name=Ann", false);
    }

    #[test]
    fn a_link_leads_on_for_the_same_filters() {
        let seal = Seal::new(&[1; 32]).unwrap();
        let (filters, limit, cursor) = question("role=NURSE&disabled=false&limit=7").unwrap();
        assert_eq!(cursor, None);
        let link = next_link(&seal, &filters, limit, ID).unwrap();
        let target = link.to_str().unwrap().split_once('?').unwrap().1.split_once('>').unwrap().0;
        let after = |target: &str| {
            let (filters, limit, cursor) = question(target).unwrap();
            (position(&seal, &cursor.unwrap(), &filters), filters, limit)
        };
        let (found, same, limit) = after(target);
        assert_eq!((found.unwrap().as_str(), same, limit), (ID, filters, 7));
        assert!(after(&target.replace("NURSE", "DOCTOR")).0.is_err());
        assert!(after("after=x").0.is_err());
    }
}
