//! Makes a client's head into the one a component sees: checks what no component should have to,
//! takes out what belongs to the connection or to the host, and adds Spin's headers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use ward_runtime::{RequestId, X_REQUEST_ID};

use crate::problem::Problem;
use crate::router::Found;
use crate::table::RouteEntry;

const SPIN_FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const SPIN_PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const SPIN_MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const SPIN_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const SPIN_RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const SPIN_BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const SPIN_CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");

/// Fields that end at the connection they came by.
const HOP_BY_HOP: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

/// Headers that every component gets.
const ALWAYS: usize = 2;

/// Spin's other headers, without those of parameters.
const ADDED: usize = 6;

/// Prefixes only the host and the application's own middleware may set.
const RESERVED_PREFIXES: [&str; 2] = ["spin-", "ward-"];

/// Bytes a field takes on the wire beside its name and value: `: ` and the line's end.
const FIELD_SEPARATORS: usize = 4;

/// Bytes of a request line beside its method and target: two spaces, version, line end.
const LINE_SEPARATORS: usize = 12;

/// Whether the head is a request that can be served at all. On success the URI is absolute, its
/// authority the one the client named.
pub(crate) fn check(
    parts: &mut Parts,
    scheme: &Scheme,
    head_bytes_max: usize,
) -> Result<(), Problem> {
    if head_bytes(parts) > head_bytes_max {
        return Err(Problem::HeadTooLarge);
    }
    if parts.method == Method::CONNECT {
        return Err(Problem::NotImplemented);
    }
    let authority = authority(parts)?;
    let path = match parts.uri.path_and_query() {
        Some(path) => path.clone(),
        None => PathAndQuery::from_static("/"),
    };
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(scheme.clone());
    uri.authority = Some(authority);
    uri.path_and_query = Some(path);
    parts.uri = Uri::from_parts(uri)
        .map_err(|_| Problem::BadRequest("The request's target is not a valid URI."))?;
    Ok(())
}

fn head_bytes(parts: &Parts) -> usize {
    let target = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let line = parts.method.as_str().len() + target + LINE_SEPARATORS;
    let fields = parts.headers.iter();
    line + fields.map(|(n, v)| n.as_str().len() + v.len() + FIELD_SEPARATORS).sum::<usize>()
}

/// The one authority the request names, in its target, its `Host`, or the same in both. Without
/// that rule two parties on the way could each believe another (RFC 9112, 3.2; RFC 9113, 8.3.1).
fn authority(parts: &Parts) -> Result<Authority, Problem> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Problem::BadRequest("The request has more than one Host field."));
    }
    let invalid = Problem::BadRequest("The request's Host field is not a valid authority.");
    let host = host.map(|host| Authority::try_from(host.as_bytes()).map_err(|_| invalid));
    let authority = match (parts.uri.authority(), host.transpose()?) {
        (Some(target), Some(host)) if *target != host => {
            return Err(Problem::BadRequest("The request's target and Host field differ."));
        }
        (Some(target), _) => target.clone(),
        (None, Some(host)) => host,
        (None, None) if parts.version == Version::HTTP_10 => Authority::from_static("localhost"),
        (None, None) => return Err(Problem::BadRequest("The request has no Host field.")),
    };
    if authority.as_str().contains('@') { Err(invalid) } else { with_port(authority, invalid) }
}

/// The authority, if its port is one; an empty one is none (RFC 3986, 3.2.3). Nobody behind the
/// host could make a request of another.
fn with_port(authority: Authority, invalid: Problem) -> Result<Authority, Problem> {
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let is_number =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(authority),
        Some("") => Authority::try_from(authority.host()).map_err(|_| invalid),
        Some(port) if is_number(port) => Ok(authority),
        _ => Err(invalid),
    }
}

/// Turns the fields of a checked head into those for the component that was found.
pub(crate) fn prepare<H>(
    uri: &Uri,
    headers: &mut HeaderMap,
    found: &Found<'_, '_, Arc<RouteEntry<H>>>,
    client: HeaderValue,
    id: RequestId,
) -> Result<(), Problem> {
    remove_foreign(headers);
    headers.reserve(ALWAYS);
    headers.insert(X_REQUEST_ID, id.header_value());
    headers.insert(SPIN_CLIENT_ADDR, client);
    if !found.target.spin_headers {
        return Ok(());
    }
    headers.reserve(ADDED);
    headers.insert(SPIN_FULL_URL, full_url(uri)?);
    headers.insert(SPIN_PATH_INFO, value(found.path_info)?);
    headers.insert(SPIN_MATCHED_ROUTE, found.target.matched_route.clone());
    headers.insert(SPIN_COMPONENT_ROUTE, found.target.component_route.clone());
    headers.insert(SPIN_RAW_COMPONENT_ROUTE, found.target.raw_route.clone());
    headers.insert(SPIN_BASE_PATH, HeaderValue::from_static("/"));
    for (name, captured) in found.params() {
        headers.insert(name, value(captured)?);
    }
    Ok(())
}

fn value(text: &str) -> Result<HeaderValue, Problem> {
    match text {
        "" => Ok(HeaderValue::from_static("")),
        text => HeaderValue::from_str(text).map_err(|_| BAD_PATH),
    }
}

const BAD_PATH: Problem =
    Problem::BadRequest("The request's path has characters that must be percent-encoded.");

fn full_url(uri: &Uri) -> Result<HeaderValue, Problem> {
    let authority = uri.authority().map_or("", Authority::as_str);
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let scheme = uri.scheme_str().unwrap_or_default();
    let mut url = String::with_capacity(scheme.len() + 3 + authority.len() + path.len());
    url.push_str(scheme);
    url.push_str("://");
    url.push_str(authority);
    url.push_str(path);
    HeaderValue::from_maybe_shared(Bytes::from(url)).map_err(|_| BAD_PATH)
}

/// Takes out what is about the connection rather than the request (RFC 9110, 7.6.1) with what the
/// client names as such, and what only the host and the application may say.
fn remove_foreign(headers: &mut HeaderMap) {
    // Most requests have none of it: look first, and hash and allocate only to remove something.
    if headers.keys().any(is_foreign) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .filter(|name| *name != HOST)
            .collect();
        let foreign: Vec<HeaderName> =
            headers.keys().filter(|name| is_foreign(name)).cloned().collect();
        for name in foreign.into_iter().chain(named) {
            headers.remove(name);
        }
    }
}

fn is_foreign(name: &HeaderName) -> bool {
    let text = name.as_str();
    HOP_BY_HOP.contains(&text) || RESERVED_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Parts {
        build(Request::builder()).body(()).unwrap().into_parts().0
    }

    fn detail(parts: &mut Parts) -> Option<&'static str> {
        match check(parts, &Scheme::HTTP, 1000) {
            Ok(()) => None,
            Err(Problem::BadRequest(detail)) => Some(detail),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_authority_comes_from_the_host_field() {
        let mut head = parts(|b| b.uri("/x?y=1").header("host", "example.org:81"));
        assert_eq!(detail(&mut head), None);
        assert_eq!(head.uri, "http://example.org:81/x?y=1");
        assert_eq!(full_url(&head.uri).unwrap(), "http://example.org:81/x?y=1");
    }

    #[test]
    fn a_request_names_one_authority() {
        let two = |b: http::request::Builder| b.header("host", "a").header("host", "a");
        assert!(detail(&mut parts(two)).unwrap().contains("more than one"));
        assert!(detail(&mut parts(|b| b)).unwrap().contains("no Host"));
        assert_eq!(detail(&mut parts(|b| b.version(Version::HTTP_10))), None);
        let differ = |b: http::request::Builder| b.uri("http://a/").header("host", "b");
        assert!(detail(&mut parts(differ)).unwrap().contains("differ"));
        let same = |b: http::request::Builder| b.uri("http://a/").header("host", "a");
        assert_eq!(detail(&mut parts(same)), None);
        for host in ["a b", "", "a/b", "user@a"] {
            let mut head = parts(|b| b.header("host", host));
            assert!(detail(&mut head).unwrap().contains("valid authority"), "{host:?}");
        }
    }

    #[test]
    fn a_head_at_the_limit_passes_and_one_past_it_does_not() {
        // "GET / HTTP/1.1" and its line end are 16; "host: a" and its line end 9; "x: " + … 5.
        for (length, passes) in [(70, true), (71, false)] {
            let field = "y".repeat(length);
            let mut head = parts(|b| b.uri("/").header("host", "a").header("x", field));
            assert_eq!(check(&mut head, &Scheme::HTTP, 100) == Ok(()), passes, "{length}");
        }
    }

    #[test]
    fn connection_fields_and_what_they_name_are_removed() {
        let mut head = parts(|b| {
            b.header("connection", "keep-alive, X-Hop, host")
                .header("connection", "close")
                .header("x-hop", "1")
                .header("te", "trailers")
                .header("keep-alive", "timeout=5")
                .header("host", "a")
                .header("accept", "*/*")
        });
        remove_foreign(&mut head.headers);
        let mut left: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "host"]);
    }

    #[test]
    fn reserved_headers_are_removed_and_look_alikes_are_not() {
        let mut head = parts(|b| {
            b.header("Spin-Client-Addr", "1.2.3.4:5")
                .header("spin-client-addr", "again")
                .header("spin-anything", "x")
                .header("ward-user-id", "x")
                .header("spinner", "x")
                .header("x-spin-y", "x")
        });
        remove_foreign(&mut head.headers);
        let mut left: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["spinner", "x-spin-y"]);
    }
}
