//! Hands a request on to the component behind, with its identity headers replaced, and the answer
//! back. Bodies are passed as handles: their bytes and trailers never enter this component.

use kit::identity::{SESSION_ID, TOKEN_ID, USER_ID, USER_ROLE};
use kit::refusal;
use spin_sdk::http;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, HeaderError, Request, Response};
use spin_sdk::wasip3::wit_future;
use token::Identity;

/// Calls the component behind in the name of `identity`, or of nobody.
pub(crate) async fn forward(
    request: Request,
    headers: &Fields,
    identity: Option<&Identity>,
) -> Result<Response, ErrorCode> {
    let headers = named(headers, identity).map_err(|_| internal("headers"))?;
    let request = with_headers(request, headers)?;
    let mut answer = http::next(request).await?;
    // The SDK has looked at the head of the answer only, and still holds the answer itself.
    answer.body_mut().take_unstarted().ok_or_else(|| internal("answer"))
}

/// The headers the component behind sees: one of each of ours, whatever the client sent under
/// their names, and no token. For nobody there are none of ours, and what came as a token is left
/// where it was: it was not looked at.
fn named(headers: &Fields, identity: Option<&Identity>) -> Result<Fields, HeaderError> {
    let headers = headers.clone();
    headers.delete(refusal::OUTCOME)?;
    let Some(identity) = identity else {
        for name in [USER_ID, USER_ROLE, TOKEN_ID, SESSION_ID] {
            headers.delete(name)?;
        }
        return Ok(headers);
    };
    headers.delete("authorization")?;
    name(&headers, identity)?;
    Ok(headers)
}

/// Names the caller, once and whatever was there.
pub(crate) fn name(headers: &Fields, identity: &Identity) -> Result<(), HeaderError> {
    let set = |name: &str, value: &str| headers.set(name, &[value.as_bytes().to_vec()]);
    set(USER_ID, &identity.subject.to_string())?;
    set(USER_ROLE, identity.role.as_str())?;
    set(TOKEN_ID, &identity.token_id.to_string())?;
    set(SESSION_ID, &identity.session.to_string())
}

/// The same request under other headers, which cannot be changed in place.
fn with_headers(request: Request, headers: Fields) -> Result<Request, ErrorCode> {
    let method = request.get_method();
    let path = request.get_path_with_query();
    let scheme = request.get_scheme();
    let authority = request.get_authority();
    let options = request.get_options();
    // This future would tell the client's side of an error while sending on. Its writer is dropped
    // at once, which says "no error": if the component behind stops reading, that is its right.
    let (_, no_error) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, no_error);
    let (request, _sent) = Request::new(headers, Some(body), trailers, options);
    // What one request had, another may have; a host that thinks otherwise gets an error.
    request.set_method(&method).map_err(|()| ErrorCode::HttpRequestMethodInvalid)?;
    request
        .set_path_with_query(path.as_deref())
        .and_then(|()| request.set_authority(authority.as_deref()))
        .and_then(|()| request.set_scheme(scheme.as_ref()))
        .map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    Ok(request)
}

pub(crate) fn internal(what: &str) -> ErrorCode {
    ErrorCode::InternalError(Some(format!("guard: {what}")))
}
