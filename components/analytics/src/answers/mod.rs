//! One module for each question. Each reads the query strictly, runs one statement, which also
//! leaves the audit row, and words the answer. The statements are the `.sql` files in `store/`; in
//! each `$1` to `$5` are the caller, and parameters are cast, as the portability rules ask.

pub(crate) mod activity;
pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod lag;
pub(crate) mod rebuild;
pub(crate) mod stream;
pub(crate) mod summary;
pub(crate) mod timeline;

use kit::Problem;
use kit::query::Query;

/// A query string without any parameter.
fn no_parameters(query: &str) -> Result<(), Problem> {
    Query::parse(query)?.finish()
}

/// Takes a patient's id.
fn patient(query: &mut Query) -> Option<String> {
    let text = query.take("patient")?;
    kit::uuid::parse(&text).or_else(|| query.fail("patient", "must be a patient's id, a UUID"))
}
