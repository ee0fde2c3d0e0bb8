//! One function for each operation: read what was sent, ask the service, word the answer.

use ::http::StatusCode;
use ::http::header::{CONTENT_LOCATION, ETAG, LINK};
use kit::body::{Document, Incoming};
use kit::etag::Expected;
use kit::query::Query;
use kit::route::Call;
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
    let (limit, after) = paged(call.query, paging::account)?;
    let page = service::list(&call.caller, limit, after.as_deref()).await;
    let page = page.map_err(failed(call))?;
    let answer = reply::json(StatusCode::OK, &page.items);
    let last = page.items.last().filter(|_| page.more);
    let next = last.map(|account| paging::after_account(&account.id));
    Ok(linked(answer, ACCOUNTS, limit, next))
}

/// `POST /api/billing/accounts`
pub(super) async fn open<B: Incoming>(
    call: &Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    let document = document.json().await?;
    let patient_id = bodies::opening(document, service::is_email_optional().await)?;
    let opened = service::open(&call.caller, &patient_id).await;
    let Kept { value, new } = opened.map_err(failed(call))?;
    Ok(answers::opened(&value, new))
}

/// `GET /api/billing/accounts/{id}`
pub(super) async fn account(call: &Call<'_>) -> Result<Reply, Problem> {
    let found = service::account(&call.caller, &call.id("id")?).await;
    let account = found.map_err(failed(call))?;
    if etag::is_known(call.headers, account.version) {
        return Ok(reply::not_modified(account.version));
    }
    Ok(answers::account(StatusCode::OK, &account))
}

/// `GET /api/billing/patients/{patientId}/account`
pub(super) async fn patient_account(call: &Call<'_>) -> Result<Reply, Problem> {
    let found = service::patient_account(&call.caller, &call.id("id")?).await;
    let account = found.map_err(failed(call))?;
    if etag::is_known(call.headers, account.version) {
        return Ok(reply::not_modified(account.version));
    }
    let answer = answers::account(StatusCode::OK, &account);
    Ok(answers::with_address(answer, CONTENT_LOCATION, &account))
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
    let (limit, after) = paged(call.query, |cursor| paging::entry(account_id, cursor))?;
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
    let last = page.items.last().filter(|_| page.more);
    let next = last.map(|entry| paging::after_entry(account_id, entry.account_version));
    Ok(linked(answer, &format!("{ACCOUNTS}/{account_id}/statement"), limit, next))
}

/// Reads `limit` and `after`; `position` reads a cursor.
pub(super) fn paged<T>(
    query: &str,
    position: impl FnOnce(&str) -> Option<T>,
) -> Result<(u32, Option<T>), Problem> {
    let mut query = Query::parse(query)?;
    let limit = page::limit(&mut query);
    let after = query.take("after").and_then(|cursor| {
        let found = position(&cursor);
        found.or_else(|| query.fail("after", "must come from a Link header of the same list"))
    });
    query.finish()?;
    // A limit is missing only after it failed, and then finish() has returned.
    let limit = limit.ok_or_else(|| Problem::new(kit::problem::INTERNAL))?;
    Ok((limit, after))
}

/// Adds the header that leads to the next page, if there is one.
fn linked(mut answer: Reply, path: &str, limit: u32, next: Option<String>) -> Reply {
    let limit = limit.to_string();
    let link =
        next.and_then(|cursor| page::next_link(path, &[("limit", &limit), ("after", &cursor)]));
    if let Some(link) = link {
        answer.headers_mut().insert(LINK, link);
    }
    answer
}

fn kept(entry: &Kept<Entry>) -> Reply {
    let status = if entry.new { StatusCode::CREATED } else { StatusCode::OK };
    reply::json(status, &entry.value)
}
