//! What the router of a table does, on a table of all kinds of operations.

use http::header::ALLOW;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use policy::Operation as Rule;

use super::{Answers, Found, Scope, Table, Takes, Verb};
use crate::body::{DOCUMENT_BYTES_MAX, Document, Incoming};
use crate::{Problem, Reply, identity, reply};

const ID: &str = "123e4567-e89b-12d3-a456-426614174000";
const READ: Scope = Scope::Needs("thing.read");
const WRITE: Scope = Scope::Needs("thing.write");

const fn rule(name: &'static str, verb: Verb, pattern: &'static str, scope: Scope) -> Rule {
    Rule { name, verb, pattern, scope }
}

const RULES: &[Rule] = &[
    rule("things.list", Verb::Get, "/things", READ),
    rule("things.create", Verb::Post, "/things", WRITE),
    rule("things.one", Verb::Get, "/things/{id}", READ),
    rule("things.find", Verb::Post, "/things/search", READ),
    rule("things.remove", Verb::Delete, "/things/{id}", WRITE),
    rule("things.watch", Verb::Watch, "/things/{id}/changes", READ),
    rule("door.enter", Verb::Post, "/door", Scope::Public),
];

crate::operations! {
    /// Things, and a door that is open.
    Handler -> Reply, ruled by RULES;
    List = Get "/things" as "things.list",
        answers &[Answers::json(StatusCode::OK, "Things")] => shown;
    Create = Post "/things" as "things.create", takes Takes::json("Thing"),
        answers &[Answers::json(StatusCode::CREATED, "Thing")] => read;
    One = Get "/things/{id}" as "things.one",
        answers &[Answers::json(StatusCode::OK, "Thing")] => one;
    Find = Post "/things/search" as "things.find",
        answers &[Answers::json(StatusCode::OK, "Things")] => shown;
    Remove = Delete "/things/{id}" as "things.remove",
        answers &[Answers::nothing(StatusCode::NO_CONTENT)] => one;
    Watch = Watch "/things/{id}/changes" as "things.watch",
        answers &[Answers::events("Thing")] => shown;
    Enter = Post "/door" as "door.enter",
        answers &[Answers::nothing(StatusCode::OK)] => shown;
}

async fn shown(call: &super::Call<'_>) -> Result<Reply, Problem> {
    Ok(reply::json(StatusCode::OK, &(&call.caller.user_id, call.query)))
}

async fn one(call: &super::Call<'_>) -> Result<Reply, Problem> {
    Ok(reply::json(StatusCode::OK, &call.id("id")?))
}

async fn read<B: Incoming>(
    _: &super::Call<'_>,
    document: Document<'_, B>,
) -> Result<Reply, Problem> {
    Ok(reply::json(StatusCode::CREATED, &document.json().await?))
}

fn headers(known: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if known {
        headers.insert(identity::USER_ID, HeaderValue::from_static(ID));
        headers.insert(identity::USER_ROLE, HeaderValue::from_static("ADMIN"));
        headers.insert(identity::TOKEN_ID, HeaderValue::from_static("t"));
    }
    headers
}

/// Status and `Allow` of the answer.
fn check(method: &str, path: &str, known: bool, expected: (u16, Option<&str>)) {
    let (method, uri): (Method, Uri) = (method.parse().unwrap(), path.parse().unwrap());
    let headers = headers(known);
    let answering = std::pin::pin!(Handler::answer(&method, &uri, &headers, String::new()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(answer) = answering.poll(&mut context) else {
        panic!("nothing here waits");
    };
    let answer = super::sent(answer, &method, &headers);
    let allow = answer.headers().get(ALLOW).map(|value| value.to_str().unwrap());
    assert_eq!((answer.status().as_u16(), allow), expected, "{method} {path}");
    assert!(method != Method::HEAD || reply::bytes(answer).is_empty());
}

#[test]
fn requests_find_their_operations() {
    check("GET", "/things", true, (200, None));
    check("GET", "/things/?a=b", true, (200, None));
    check("HEAD", "/things", true, (200, None));
    check("POST", "/things", true, (415, None));
    check("DELETE", &format!("/things/{ID}/"), true, (200, None));
    check("GET", "/things/x", true, (400, None));
    check("GET", "/things//", true, (400, None));
    check("GET", "/things/x/changes", true, (200, None));
    check("POST", "/things/search", true, (200, None));
}

#[test]
fn what_there_is_not() {
    check("GET", "/", true, (404, None));
    check("GET", "/things/x/y", true, (404, None));
    check("GET", "/thingsx", true, (404, None));
    check("PATCH", "/things", true, (405, Some("GET, HEAD, POST, OPTIONS")));
    check("PURGE", "/things/x", true, (405, Some("GET, HEAD, DELETE, OPTIONS")));
    check("HEAD", "/things/x/changes", true, (405, Some("GET, OPTIONS")));
    check("GET", "/door", true, (405, Some("POST, OPTIONS")));
    check("GET", "/things/search", true, (405, Some("POST, OPTIONS")));
    check("OPTIONS", "/things", true, (204, Some("GET, HEAD, POST, OPTIONS")));
    check("OPTIONS", "/things/x", true, (204, Some("GET, HEAD, DELETE, OPTIONS")));
}

#[test]
fn strangers_learn_nothing_but_what_is_public() {
    check("POST", "/door", false, (200, None));
    check("GET", "/door", false, (401, None));
    check("GET", "/things", false, (401, None));
    check("OPTIONS", "/things", false, (401, None));
    check("PATCH", "/things", false, (401, None));
    check("GET", "/nothing", false, (401, None));
}

#[test]
fn a_table_that_is_all_public_knows_no_strangers() {
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Door;
    let operation = Handler::TABLE.operations().last().copied().unwrap();
    const fn open(routes: &'static [super::Route<Door>]) -> Table<Door> {
        Table::new(routes, &[rule("door.enter", Verb::Post, "/door", Scope::Public)])
    }
    let table = open(Box::leak(Box::new([super::Route { handler: Door, operation }])));
    let headers = HeaderMap::new();
    let status = |method: Method, path: &'static str| match table.find(
        &method,
        &Uri::from_static(path),
        &headers,
    ) {
        Ok(Found::Operation(..)) => 200,
        Ok(Found::Options(reply)) => reply.status().as_u16(),
        Err(problem) => problem.kind().status.as_u16(),
    };
    assert_eq!(status(Method::POST, "/door"), 200);
    assert_eq!(status(Method::OPTIONS, "/door"), 204);
    assert_eq!(status(Method::GET, "/door"), 405);
    assert_eq!(status(Method::GET, "/window"), 404);
}

#[test]
fn two_lines_for_one_request_are_ambiguous() {
    let [list, create, one] =
        [0, 1, 2].map(|at| Handler::TABLE.operations().nth(at).copied().unwrap());
    assert!(!list.is_ambiguous_with(&create));
    assert!(!one.is_ambiguous_with(&list));
    assert!(list.is_ambiguous_with(&list));
    let mut new = list;
    new.pattern = "/things/last";
    assert!(!new.is_ambiguous_with(&one), "it is a special case, whatever the method");
    new.pattern = "/{kind}/last";
    assert!(new.is_ambiguous_with(&one) && one.is_ambiguous_with(&new));
    new.pattern = "/things/{name}";
    assert!(new.is_ambiguous_with(&one), "one path has one list of methods");
}

#[test]
fn a_document_may_be_as_long_as_its_operation_says() {
    let short = Takes::Json { document: "Thing", bytes_max: 7 };
    let most = [Takes::json("Thing"), short].map(Takes::bytes_max);
    assert_eq!(most, [DOCUMENT_BYTES_MAX, 7]);
}
