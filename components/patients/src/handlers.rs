//! One function for each operation: read what was sent, ask the store, word the answer.

use bytes::Bytes;
use http::header::{ETAG, LINK, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body;
use kit::audit::Access;
use kit::database::{Database, Fault};
use kit::identity::Identity;
use kit::problem::{CONFLICT, FieldError, NOT_FOUND, STALE, VALIDATION};
use kit::{Problem, Reply, body, date, etag, log, reply};
use serde::Serialize;

use crate::COLLECTION;
use crate::billing::{self, Standing};
use crate::model::Patient;
use crate::query::Listing;
use crate::store::{self, Refusal};
use crate::validate::Draft;

/// The component's variable with the address of its database.
pub(crate) const DATABASE: &str = "db_url";

/// Who asks, and the headers they asked with.
pub(crate) struct Caller<'a> {
    pub(crate) identity: Identity,
    pub(crate) headers: &'a HeaderMap,
}

/// A patient just created, and how its account stands.
#[derive(Serialize)]
struct Created<'a> {
    #[serde(flatten)]
    patient: &'a Patient,
    billing: Standing,
}

impl Caller<'_> {
    /// What the audit log is told of the caller.
    fn access(&self) -> Access<'_> {
        Access::of(&self.identity, self.headers)
    }

    /// Logs a fault and makes it an answer; `action` is for the log only.
    fn failed(&self, action: &'static str) -> impl Fn(Fault) -> Problem {
        move |fault| {
            log::failure(action, fault.cause(), self.headers);
            Problem::from(&fault)
        }
    }
}

/// `GET /api/patients`
pub(crate) async fn list(caller: &Caller<'_>, query: Option<&str>) -> Result<Reply, Problem> {
    let listing = Listing::parse(query.unwrap_or(""))?;
    let found = async {
        let database = Database::open(DATABASE).await?;
        store::list(&database, &caller.access(), &listing).await
    };
    let page = found.await.map_err(caller.failed("patients.list"))?;
    let mut answer = reply::json(StatusCode::OK, &page.patients);
    let last = page.patients.last().filter(|_| page.more);
    if let Some(link) = last.and_then(|patient| listing.next_link(&patient.id)) {
        answer.headers_mut().insert(LINK, link);
    }
    Ok(answer)
}

/// `GET /api/patients/{id}`
pub(crate) async fn read(caller: &Caller<'_>, id: &str) -> Result<Reply, Problem> {
    let found = async {
        let database = Database::open(DATABASE).await?;
        store::read(&database, &caller.access(), id).await
    };
    let found = found.await.map_err(caller.failed("patients.read"))?;
    let patient = found.ok_or_else(not_found)?;
    if etag::is_known(caller.headers, patient.version) {
        return Ok(reply::not_modified(patient.version));
    }
    Ok(shown(StatusCode::OK, &patient))
}

/// `POST /api/patients`
pub(crate) async fn create<B>(caller: &Caller<'_>, body: B) -> Result<Reply, Problem>
where
    B: Body<Data = Bytes>,
{
    let today = date::today();
    let draft = Draft::from_document(body::json(caller.headers, body).await?, today)?;
    let access = caller.access();
    let made = async {
        let database = Database::open(DATABASE).await?;
        store::create(&database, &access, &draft, today).await
    };
    let made = made.await.map_err(caller.failed("patients.create"))?;
    let patient = made.map_err(refused)?;
    let billing = billing::open(&access, &patient).await;
    let created = Created { patient: &patient, billing };
    let mut answer = reply::json(StatusCode::CREATED, &created);
    answer.headers_mut().insert(ETAG, etag::of(patient.version));
    if let Ok(location) = HeaderValue::try_from(format!("{COLLECTION}/{}", patient.id)) {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

/// `PUT /api/patients/{id}`
pub(crate) async fn replace<B>(caller: &Caller<'_>, id: &str, body: B) -> Result<Reply, Problem>
where
    B: Body<Data = Bytes>,
{
    let versions = etag::expected_versions(caller.headers)?;
    let document = body::json(caller.headers, body).await?;
    let draft = Draft::from_document(document, date::today())?;
    let changed = async {
        let database = Database::open(DATABASE).await?;
        store::replace(&database, &caller.access(), id, &draft, versions).await
    };
    let changed = changed.await.map_err(caller.failed("patients.replace"))?;
    Ok(shown(StatusCode::OK, &changed.map_err(refused)?))
}

/// `DELETE /api/patients/{id}`
pub(crate) async fn delete(caller: &Caller<'_>, id: &str) -> Result<Reply, Problem> {
    let versions = etag::expected_versions(caller.headers)?;
    let access = caller.access();
    let gone = async {
        let database = Database::open(DATABASE).await?;
        store::delete(&database, &access, id, versions).await
    };
    let gone = gone.await.map_err(caller.failed("patients.delete"))?;
    gone.map_err(refused)?;
    // Whatever billing says of it, the patient is deleted.
    billing::close(&access, id).await;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn shown(status: StatusCode, patient: &Patient) -> Reply {
    let mut answer = reply::json(status, patient);
    answer.headers_mut().insert(ETAG, etag::of(patient.version));
    answer
}

fn not_found() -> Problem {
    Problem::new(NOT_FOUND).detail("There is no patient with this id.")
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NotFound => not_found(),
        Refusal::Stale => Problem::new(STALE)
            .detail("The patient has changed since the version in If-Match. Read it again."),
        Refusal::EmailTaken => Problem::new(CONFLICT)
            .detail("Another patient has this e-mail address.")
            .errors(vec![FieldError::at("/email", "is in use")]),
        Refusal::RegisteredDate => Problem::new(VALIDATION)
            .errors(vec![FieldError::at("/registeredDate", "cannot be changed")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_codes() {
        let check = |refusal: Refusal, status: u16| {
            assert_eq!(refused(refusal).kind().status.as_u16(), status);
        };
        check(Refusal::NotFound, 404);
        check(Refusal::Stale, 412);
        check(Refusal::EmailTaken, 409);
        check(Refusal::RegisteredDate, 400);
    }
}
