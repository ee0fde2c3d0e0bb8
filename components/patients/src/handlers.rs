//! One function for each operation: read what was sent, ask the store, word the answer.

use http::header::{ETAG, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::body::{Document, Incoming};
use kit::database::{Database, Fault};
use kit::email::Rule;
use kit::idempotency::{Key, REUSED};
use kit::problem::{CONFLICT, FieldError, NOT_FOUND, VALIDATION};
use kit::query::Query;
use kit::route::Call;
use kit::seal::Seal;
use kit::trail::{self, Trail};
use kit::{Problem, Reply, date, etag, page, reply};
use serde::Serialize;

use crate::COLLECTION;
use crate::billing::{self, Standing};
use crate::erasure;
use crate::model::Patient;
use crate::query::{Listing, UrlFilters};
use crate::sight::Sight;
use crate::store::{self, Made, Refusal};
use crate::validate::{Draft, Replacement};

/// The component's variable with the address of its database.
pub(crate) const DATABASE: &str = "db_url";

/// A patient just created, and how its account stands.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created<'a> {
    #[serde(flatten)]
    patient: &'a Patient,
    billing: Standing,
    /// Deleted patients who were probably the same person, of those whom the caller may see.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    earlier_ids: &'a [String],
}

/// Logs a fault and makes it an answer.
fn failed(call: &Call<'_>) -> impl Fn(Fault) -> Problem {
    |fault| {
        call.log_failure(fault.cause());
        Problem::from(&fault)
    }
}

/// `GET /api/patients`
pub(crate) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let query = Query::parse(call.query)?;
    let url_filters = UrlFilters::read(&query).await.map_err(failed(call))?;
    show(call, &Listing::of_list(query, url_filters)?).await
}

/// `POST /api/patients/search`
pub(crate) async fn search<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let listing = Listing::of_search(call.query, document.json().await?)?;
    show(call, &listing).await
}

async fn show(call: &Call<'_>, listing: &Listing) -> Result<Reply, Problem> {
    let sight = Sight::of(call)?;
    let seal = Seal::own(Database::open(DATABASE)).await.map_err(failed(call))?;
    let after = listing.after(&seal)?;
    let page = async {
        let database = Database::open(DATABASE).await?;
        store::list(&database, &call.caller.access(), listing, after.as_ref(), sight).await
    };
    let page = page.await.map_err(failed(call))?;
    let answer = reply::json(StatusCode::OK, &page.patients);
    match &page.next {
        Some(next) => page::linked(answer, listing.next_link(&seal, next)),
        None => Ok(answer),
    }
}

/// `GET /api/patients/{id}`
pub(crate) async fn read(call: &Call<'_>) -> Result<Reply, Problem> {
    let id = call.id("id")?;
    let sight = Sight::of(call)?;
    let found = async {
        let database = Database::open(DATABASE).await?;
        store::read(&database, &call.caller.access(), &id, sight).await
    };
    let found = found.await.map_err(failed(call))?;
    let patient = found.ok_or_else(not_found)?;
    if etag::is_known(call.headers, patient.version) {
        return Ok(reply::not_modified(patient.version));
    }
    Ok(shown(StatusCode::OK, &patient))
}

/// `POST /api/patients`
pub(crate) async fn create<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let (latest, today) = (date::today_anywhere(), date::today());
    let document = document.json().await?;
    let rule = Rule::read().await.map_err(failed(call))?;
    let key = Key::read(&call.caller, call.headers, "patients.create", &document)?;
    let draft = Draft::from_document(document, rule, latest)?;
    let access = call.caller.access();
    let made = async {
        let database = Database::open(DATABASE).await?;
        let sight = Sight::own(&call.caller);
        store::create(&database, &access, &draft, (rule, today), key.as_ref(), sight).await
    };
    let made = made.await.map_err(failed(call))?;
    let Made { patient, earlier, again } = made.map_err(refused(call))?;
    let mut billing = billing::open(&access, &patient.id).await;
    if again {
        billing.forget();
    }
    let created = Created { patient: &patient, billing, earlier_ids: &earlier };
    let mut answer = reply::json(StatusCode::CREATED, &created);
    answer.headers_mut().insert(ETAG, etag::of(patient.version));
    if let Ok(location) = HeaderValue::try_from(format!("{COLLECTION}/{}", patient.id)) {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

/// `PUT /api/patients/{id}`
pub(crate) async fn replace<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let id = call.id("id")?;
    let expected = etag::Expected::demanded(call.headers)?;
    let document = document.json().await?;
    let rule = Rule::read().await.map_err(failed(call))?;
    let replacement = Replacement::from_document(document, &id, rule, date::today_anywhere())?;
    let change = store::Change { id: &id, expected: &expected, sight: Sight::own(&call.caller) };
    let changed = async {
        let database = Database::open(DATABASE).await?;
        store::replace(&database, &call.caller.access(), change, &replacement, rule).await
    };
    let changed = changed.await.map_err(failed(call))?;
    Ok(shown(StatusCode::OK, &changed.map_err(refused(call))?))
}

/// `DELETE /api/patients/{id}`
pub(crate) async fn delete(call: &Call<'_>) -> Result<Reply, Problem> {
    let id = call.id("id")?;
    let expected = etag::Expected::demanded(call.headers)?;
    let access = call.caller.access();
    let change = store::Change { id: &id, expected: &expected, sight: Sight::own(&call.caller) };
    let gone = async {
        let database = Database::open(DATABASE).await?;
        store::delete(&database, &access, change).await
    };
    let gone = gone.await.map_err(failed(call))?;
    gone.map_err(refused(call))?;
    // Whatever billing says of it, the patient is deleted.
    billing::close(&access, &id).await;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// `POST /api/patients/{id}/erasure`
pub(crate) async fn erase<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let id = call.id("id")?;
    let expected = etag::Expected::demanded(call.headers)?;
    let reason = erasure::reason(document.json().await?)?;
    let access = call.caller.access();
    let change = store::Change { id: &id, expected: &expected, sight: Sight::own(&call.caller) };
    let erased = async {
        let database = Database::open(DATABASE).await?;
        store::erase(&database, &access, change, reason).await
    };
    let erased = erased.await.map_err(failed(call))?;
    erased.map_err(refused(call))?;
    // As with a deletion: whatever billing says of it, the patient is erased.
    billing::close(&access, &id).await;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// `PUT /api/patients/{id}/restriction`
pub(crate) async fn restrict(call: &Call<'_>) -> Result<Reply, Problem> {
    set_restricted(call, true).await
}

/// `DELETE /api/patients/{id}/restriction`
pub(crate) async fn release(call: &Call<'_>) -> Result<Reply, Problem> {
    set_restricted(call, false).await
}

/// Makes it so, however it was before. A version need not be named; one that is has to be right.
async fn set_restricted(call: &Call<'_>, restricted: bool) -> Result<Reply, Problem> {
    let id = call.id("id")?;
    let expected = etag::Expected::from_headers(call.headers)?;
    let change = store::Change { id: &id, expected: &expected, sight: Sight::own(&call.caller) };
    let set = async {
        let database = Database::open(DATABASE).await?;
        store::restrict(&database, &call.caller.access(), change, restricted).await
    };
    let version = set.await.map_err(failed(call))?.map_err(refused(call))?;
    let mut answer = reply::empty(StatusCode::NO_CONTENT);
    answer.headers_mut().insert(ETAG, etag::of(version));
    Ok(answer)
}

/// What there is to be asked of the audit log.
pub(crate) const TRAIL: Trail =
    Trail { path: "/api/audit/patients", database: DATABASE, patients: true, break_glass: true };

/// `GET /api/audit/patients`
pub(crate) async fn audit(call: &Call<'_>) -> Result<Reply, Problem> {
    trail::answer(call, &TRAIL).await
}

fn shown(status: StatusCode, patient: &Patient) -> Reply {
    let mut answer = reply::json(status, patient);
    answer.headers_mut().insert(ETAG, etag::of(patient.version));
    answer
}

fn not_found() -> Problem {
    Problem::new(NOT_FOUND).detail("There is no patient with this id.")
}

fn refused(call: &Call<'_>) -> impl Fn(Refusal) -> Problem {
    |refusal| problem(refusal, call.headers)
}

fn problem(refusal: Refusal, request: &HeaderMap) -> Problem {
    match refusal {
        Refusal::NotFound => not_found(),
        Refusal::Stale => etag::stale(request, "The patient"),
        Refusal::EmailTaken => Problem::new(CONFLICT)
            .detail("Another patient has this e-mail address.")
            .errors(vec![FieldError::at("/email", "is in use")]),
        Refusal::KeyReused => Problem::new(REUSED)
            .detail("Another document came with this Idempotency-Key. Choose another key."),
        Refusal::Fixed(pointer) => Problem::new(VALIDATION).errors(vec![FieldError::at(
            pointer,
            "cannot be changed: leave it out, or send what was last read",
        )]),
        Refusal::BornLater => Problem::new(VALIDATION)
            .errors(vec![FieldError::at("/dateOfBirth", "must not be after registeredDate")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_codes() {
        let check = |refusal: Refusal, status: u16| {
            assert_eq!(problem(refusal, &HeaderMap::new()).kind().status.as_u16(), status);
        };
        check(Refusal::NotFound, 404);
        check(Refusal::Stale, 412);
        check(Refusal::EmailTaken, 409);
        check(Refusal::KeyReused, 422);
        check(Refusal::Fixed("/createdAt"), 400);
        check(Refusal::BornLater, 400);
    }
}
