//! One function for each operation: read what was sent, ask the service, word the answer.

use ::http::StatusCode;
use ::http::header::ETAG;
use kit::body::{Document, Incoming};
use kit::etag::Expected;
use kit::problem::INTERNAL;
use kit::query::{self, Query};
use kit::route::Call;
use kit::trail::{self, Trail};
use kit::{Problem, Reply, etag, page, reply};
use serde::Serialize;

use super::{ACCOUNTS, answers, bodies};
use crate::failure::Failure;
use crate::model::{Account, Entry, Kind};
use crate::paging;
use crate::service::{self, Kept};

/// A statement in the words of the API.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Statement"))]
pub(super) struct Shown<'a> {
    account: &'a Account,
    entries: &'a [Entry],
}

/// Logs a fault and makes a failure an answer.
fn failed(call: &Call<'_>) -> impl Fn(Failure) -> Problem {
    |failure| {
        if let Failure::Fault(fault) = &failure {
            call.log_failure(fault.cause());
        }
        answers::problem(&failure, call.headers)
    }
}

/// `GET /api/billing/accounts`
pub(super) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let (limit, cursor) = paged(call.query)?;
    let seal = service::seal().await.map_err(failed(call))?;
    let after = position(cursor, |cursor| paging::account(&seal, cursor))?;
    let page = service::list(&call.caller, limit, after.as_deref()).await;
    let page = page.map_err(failed(call))?;
    let answer = reply::json(StatusCode::OK, &page.items);
    let Some(last) = page.items.last().filter(|_| page.more) else { return Ok(answer) };
    linked(answer, ACCOUNTS, limit, paging::after_account(&seal, &last.id))
}

/// `POST /api/billing/accounts`
pub(super) async fn open<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let document = document.json().await?;
    let patient_id = bodies::opening(document, service::is_email_optional().await)?;
    let opened = service::opened(&call.caller, &patient_id).await;
    Ok(answers::account_of(&opened.map_err(failed(call))?))
}

/// `GET /api/billing/accounts/{id}`
pub(super) async fn account(call: &Call<'_>) -> Result<Reply, Problem> {
    let found = service::account(&call.caller, &call.id("id")?).await;
    let account = found.map_err(failed(call))?;
    if etag::is_known(call.headers, account.version) {
        return Ok(reply::not_modified(account.version));
    }
    Ok(answers::account(&account))
}

/// `GET /api/billing/patients/{patientId}/account`
pub(super) async fn patient_account(call: &Call<'_>) -> Result<Reply, Problem> {
    let found = service::patient_account(&call.caller, &call.id("id")?).await;
    let account = found.map_err(failed(call))?;
    if etag::is_known(call.headers, account.version) {
        return Ok(reply::not_modified(account.version));
    }
    Ok(answers::account_of(&account))
}

/// `POST /api/billing/accounts/{id}/charges`
pub(super) async fn charge<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    book(call, Kind::Charge, document).await
}

/// `POST /api/billing/accounts/{id}/payments`
pub(super) async fn pay<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    book(call, Kind::Payment, document).await
}

/// `POST /api/billing/accounts/{id}/refunds`
pub(super) async fn refund<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    book(call, Kind::Refund, document).await
}

async fn book<B: Incoming>(
    call: &Call<'_>,
    kind: Kind,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let account_id = call.id("id")?;
    let expected = Expected::from_headers(call.headers)?;
    let booking = bodies::booking(document.json().await?, &account_id, kind, expected)?;
    let booked = service::book(&call.caller, &booking).await;
    Ok(kept(&booked.map_err(failed(call))?))
}

/// `POST /api/billing/accounts/{id}/voids`
pub(super) async fn void<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let account_id = call.id("id")?;
    let expected = Expected::from_headers(call.headers)?;
    let void = bodies::void(document.json().await?, &account_id, expected)?;
    let booked = service::void(&call.caller, &void).await;
    Ok(kept(&booked.map_err(failed(call))?))
}

/// `GET /api/billing/accounts/{id}/statement`
///
/// Its entity tag is the account's version: an entry changes the account, and nothing else changes
/// a statement.
pub(super) async fn statement(call: &Call<'_>) -> Result<Reply, Problem> {
    let account_id = &call.id("id")?;
    let (limit, cursor) = paged(call.query)?;
    let seal = service::seal().await.map_err(failed(call))?;
    let after = position(cursor, |cursor| paging::entry(&seal, account_id, cursor))?;
    let found = service::statement(&call.caller, account_id, limit, after.unwrap_or(0)).await;
    let found = found.map_err(failed(call))?;
    let version = found.account.version;
    if etag::is_known(call.headers, version) {
        return Ok(reply::not_modified(version));
    }
    let page = &found.entries;
    let shown = Shown { account: &found.account, entries: &page.items };
    let mut answer = reply::json(StatusCode::OK, &shown);
    answer.headers_mut().insert(ETAG, etag::of(version));
    let Some(last) = page.items.last().filter(|_| page.more) else { return Ok(answer) };
    let next = paging::after_entry(&seal, account_id, last.account_version);
    linked(answer, &format!("{ACCOUNTS}/{account_id}/statement"), limit, next)
}

/// What there is to be asked of the audit log.
pub(super) const TRAIL: Trail = Trail {
    path: "/api/audit/billing",
    database: service::DATABASE,
    patients: true,
    break_glass: false,
};

/// `GET /api/audit/billing`
pub(super) async fn audit(call: &Call<'_>) -> Result<Reply, Problem> {
    trail::answer(call, &TRAIL).await
}

/// Reads `limit` and `after`, the latter as it was sent.
pub(super) fn paged(query: &str) -> Result<(u32, Option<String>), Problem> {
    let mut query = Query::parse(query)?;
    let limit = page::limit(&mut query);
    let cursor = query.take("after");
    query.finish()?;
    // A limit is missing only after it failed, and then finish() has returned.
    let limit = limit.ok_or_else(|| Problem::new(INTERNAL))?;
    Ok((limit, cursor))
}

/// Where the page begins, which `read` finds in the cursor.
fn position<T>(
    cursor: Option<String>,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let found = read(&cursor).map(Some);
    found.ok_or_else(|| query::wrong("after", "must come from a Link header of the same list"))
}

/// Adds the header that leads to the next page.
fn linked(answer: Reply, path: &str, limit: u32, cursor: Option<String>) -> Result<Reply, Problem> {
    let limit = limit.to_string();
    let link =
        cursor.and_then(|cursor| page::next_link(path, &[("limit", &limit), ("after", &cursor)]));
    page::linked(answer, link)
}

fn kept(entry: &Kept<Entry>) -> Reply {
    let status = if entry.new { StatusCode::CREATED } else { StatusCode::OK };
    reply::json(status, &entry.value)
}
