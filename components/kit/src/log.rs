//! Log lines of a component: one line on standard error, which the host collects.
//!
//! The arguments are words from our own source (and SQLSTATEs, which PostgreSQL defines), so that a
//! line cannot hold a name, an address or a value however wrong things go. Text that came with a
//! request or with an error of the database has no way in.

use http::HeaderMap;

use crate::identity;

/// Says that `action` failed because of `cause`, for the request with these headers.
pub fn failure(action: &'static str, cause: &str, request: &HeaderMap) {
    failure_in(action, cause, identity::request_id(request));
}

/// Says that `action` failed because of `cause`, which is about what has this id of ours.
pub fn about(action: &'static str, cause: &'static str, id: &str, request_id: Option<&str>) {
    let request = request_id.unwrap_or("-");
    eprintln!("error action={action} cause={cause} id={id} request={request}");
}

/// Says that a user may not do `action`, for want of a scope.
pub fn refused(action: &'static str, scope: &'static str, user_id: &str, request: &HeaderMap) {
    let request = identity::request_id(request).unwrap_or("-");
    eprintln!("refused action={action} scope={scope} user={user_id} request={request}");
}

/// The same as [`failure`] for a request whose id is known already, as that of a call from another
/// component is.
pub fn failure_in(action: &'static str, cause: &str, request_id: Option<&str>) {
    let id = request_id.unwrap_or("-");
    eprintln!("error action={action} cause={cause} request={id}");
}
