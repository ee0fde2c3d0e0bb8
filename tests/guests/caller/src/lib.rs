//! Test guest: an HTTP component that calls another over its interfaces and reports as text what
//! came of it. `/perform/<kind>?<task>` calls one function of `work`, `/shapes` echoes values.

mod bindings;

use bindings::test::links::shapes::{self, Colour, Everything, Leaf, Rights, Shape};
use bindings::test::links::work::{self, Person, Task};
use spin_sdk::http::Request;
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> String {
    let query = request.uri().query().unwrap_or_default().to_owned();
    match request.uri().path() {
        "/perform/refusal" => text(work::perform(task(&query)).await),
        "/perform/code" => text(work::perform_code(task(&query)).await),
        "/perform/text" => text(work::perform_text(task(&query)).await),
        "/perform/odd" => text(work::perform_odd(task(&query)).await),
        "/perform/plain" => text(work::perform_plain(task(&query)).await),
        "/perform/sync" => text(work::perform_sync(task(&query))),
        "/variable" => text(work::variable(query).await),
        "/own-variable" => text(spin_sdk::variables::get(&query).await),
        "/shapes" => echo().await,
        "/join" => shapes::join(leaf("a"), "-".to_owned(), leaf("b"), 3).await,
        "/nothing" => {
            shapes::nothing().await;
            "came back".to_owned()
        }
        "/enrol" => text(work::enrol(person()).await),
        "/both" => {
            let (slow, quick) =
                futures::join!(work::perform(Task::Sleep(300)), work::perform(Task::Answer));
            format!("{slow:?} {quick:?}")
        }
        path => format!("no {path}"),
    }
}

fn text(outcome: impl std::fmt::Debug) -> String {
    format!("{outcome:?}")
}

fn task(query: &str) -> Task {
    match query.split_once('=') {
        Some(("sleep", ms)) => Task::Sleep(ms.parse().unwrap_or(0)),
        _ => match query {
            "count" => Task::Count,
            "trap" => Task::Trap,
            "spin" => Task::Spin,
            "allocate" => Task::Allocate,
            "refuse" => Task::Refuse,
            "trap-later" => Task::TrapLater,
            _ => Task::Answer,
        },
    }
}

fn leaf(name: &str) -> Leaf {
    Leaf { name: name.to_owned(), size: u64::MAX }
}

fn person() -> Person {
    let id = "123e4567-e89b-12d3-a456-426614174000".to_owned();
    Person {
        name: "Ada Lovelace".to_owned(),
        email: "ada@example.com".to_owned(),
        user_id: id.clone(),
        role: "ADMIN".to_owned(),
        token_id: id.clone(),
        request_id: id.clone(),
        id,
    }
}

/// One value with everything in it, at the ends of its types, there and back.
async fn echo() -> String {
    let sent = Everything {
        truth: true,
        a: u8::MAX,
        b: u16::MAX,
        c: u32::MAX,
        d: u64::MAX,
        e: i8::MIN,
        f: i16::MIN,
        g: i32::MIN,
        h: i64::MIN,
        i: f32::MIN_POSITIVE,
        j: f64::MAX,
        k: '\u{10ffff}',
        text: "grüße \0 \u{1f600}".to_owned(),
        bytes: vec![0, 127, 255],
        leaves: vec![leaf(""), leaf("x")],
        pair: ("left".to_owned(), Some(0)),
        colour: Colour::DarkBlue,
        rights: Rights::READ | Rights::RUN_IT,
        shapes: vec![
            Shape::Nothing,
            Shape::Circle(-0.5),
            Shape::Polygon(vec![(1, -1), (i32::MAX, i32::MIN)]),
            Shape::Leaf(leaf("in a variant")),
        ],
        maybe: Some(leaf("maybe")),
        nested: Some(None),
        outcome: Err(7),
        outcomes: vec![Ok(()), Err(())],
    };
    let back = shapes::echo(sent.clone()).await;
    let sync = shapes::echo_sync(&sent);
    format!("{} {}", back == sent, sync == sent)
}
