//! One function for each operation: read what was sent, ask the service, word the answer.

use ::http::StatusCode;
use ::http::header::{CONTENT_LOCATION, ETAG, LINK};
use bytes::Bytes;
use http_body::Body;
use kit::query::Query;
use kit::{Problem, Reply, body, etag, log, page, reply};
use serde::Serialize;

use super::path::ACCOUNTS;
use super::{Asker, answers, bodies};
use crate::failure::Failure;
use crate::model::{Account, Entry, Kind};
use crate::paging;
use crate::service::{self, Kept};

/// A statement in the words of the API.
#[derive(Serialize)]
struct Shown<'a> {
    account: &'a Account,
    entries: &'a [Entry],
}

impl Asker<'_> {
    /// Logs a fault and makes a failure an answer; `action` is for the log only.
    fn failed(&self, action: &'static str) -> impl Fn(Failure) -> Problem {
        move |failure| {
            if let Failure::Fault(fault) = &failure {
                log::failure(action, fault.cause(), self.headers);
            }
            answers::problem(&failure)
        }
    }
}

/// `GET /api/billing/accounts`
pub(super) async fn list(asker: &Asker<'_>, query: &str) -> Result<Reply, Problem> {
    let (limit, after) = paged(query, paging::account)?;
    let page = service::list(&asker.caller, limit, after.as_deref()).await;
    let page = page.map_err(asker.failed("billing.list"))?;
    let answer = reply::json(StatusCode::OK, &page.items);
    let last = page.items.last().filter(|_| page.more);
    let next = last.map(|account| paging::after_account(&account.id));
    Ok(linked(answer, ACCOUNTS, limit, next))
}

/// `POST /api/billing/accounts`
pub(super) async fn open<B>(asker: &Asker<'_>, body: B) -> Result<Reply, Problem>
where
    B: Body<Data = Bytes>,
{
    let patient_id = bodies::opening(body::json(asker.headers, body).await?)?;
    let opened = service::open(&asker.caller, &patient_id).await;
    let Kept { value, new } = opened.map_err(asker.failed("billing.open"))?;
    Ok(answers::opened(&value, new))
}

/// `GET /api/billing/accounts/{id}`
pub(super) async fn account(asker: &Asker<'_>, id: &str) -> Result<Reply, Problem> {
    let found = service::account(&asker.caller, id).await;
    let account = found.map_err(asker.failed("billing.account"))?;
    if etag::is_known(asker.headers, account.version) {
        return Ok(reply::not_modified(account.version));
    }
    Ok(answers::account(StatusCode::OK, &account))
}

/// `GET /api/billing/patients/{patientId}/account`
pub(super) async fn patient_account(asker: &Asker<'_>, id: &str) -> Result<Reply, Problem> {
    let found = service::patient_account(&asker.caller, id).await;
    let account = found.map_err(asker.failed("billing.patient-account"))?;
    if etag::is_known(asker.headers, account.version) {
        return Ok(reply::not_modified(account.version));
    }
    let answer = answers::account(StatusCode::OK, &account);
    Ok(answers::with_address(answer, CONTENT_LOCATION, &account))
}

/// `POST /api/billing/accounts/{id}/charges` and `…/payments`
pub(super) async fn book<B>(
    asker: &Asker<'_>,
    account_id: &str,
    kind: Kind,
    body: B,
) -> Result<Reply, Problem>
where
    B: Body<Data = Bytes>,
{
    let versions = etag::expected_versions(asker.headers)?;
    let document = body::json(asker.headers, body).await?;
    let booking = bodies::booking(document, account_id, kind, versions)?;
    let booked = service::book(&asker.caller, &booking).await;
    Ok(kept(&booked.map_err(asker.failed("billing.book"))?))
}

/// `POST /api/billing/accounts/{id}/voids`
pub(super) async fn void<B>(asker: &Asker<'_>, account_id: &str, body: B) -> Result<Reply, Problem>
where
    B: Body<Data = Bytes>,
{
    let versions = etag::expected_versions(asker.headers)?;
    let document = body::json(asker.headers, body).await?;
    let void = bodies::void(document, account_id, versions)?;
    let booked = service::void(&asker.caller, &void).await;
    Ok(kept(&booked.map_err(asker.failed("billing.void"))?))
}

/// `GET /api/billing/accounts/{id}/statement`
///
/// Its entity tag is the account's version: an entry changes the account, and nothing else changes
/// a statement.
pub(super) async fn statement(
    asker: &Asker<'_>,
    account_id: &str,
    query: &str,
) -> Result<Reply, Problem> {
    let (limit, after) = paged(query, |cursor| paging::entry(account_id, cursor))?;
    let found = service::statement(&asker.caller, account_id, limit, after.unwrap_or(0)).await;
    let found = found.map_err(asker.failed("billing.statement"))?;
    let version = found.account.version;
    if etag::is_known(asker.headers, version) {
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
fn paged<T>(
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
