//! Components that trap, loop for ever or eat memory: they cost their own requests an error, and
//! nobody else anything.

use futures::future::join_all;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::OnceLock;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};
use ward_tests::{Answer, Api, Options, Ward, wasm};

#[tokio::test]
async fn a_trap_is_500_with_a_problem() {
    let api = turn().await;
    let answer = api.get("/trap").await;
    answer.problem(500);
    for inside in ["wasm", "unreachable", "panicked", "backtrace", ".rs", "abort"] {
        assert!(!answer.body.contains(inside), "the host's affairs: {answer:?}");
    }
}

#[tokio::test]
async fn every_way_of_failing_is_500() {
    let api = turn().await;
    for path in ["/trap", "/exit", "/alloc", "/recurse", "/error"] {
        let answer = api.get(path).await;
        assert_eq!(answer.status, 500, "{path}: {answer:?}");
        answer.problem(500);
    }
}

#[tokio::test]
async fn an_endless_loop_is_504_with_a_problem() {
    let api = turn().await;
    api.get("/loop").await.problem(504);
}

#[tokio::test]
async fn an_endless_wait_is_504_with_a_problem() {
    let api = turn().await;
    api.get("/sleep?ms=60000").await.problem(504);
    assert_eq!(api.get("/sleep?ms=100").await.status, 200);
}

#[tokio::test]
async fn a_component_recovers_after_each_failure() {
    let api = turn().await;
    for path in ["/trap", "/exit", "/alloc", "/recurse", "/loop", "/error"] {
        for _ in 0..3 {
            assert_ne!(api.get(path).await.status, 200, "{path}");
        }
        let answer = api.get("/well").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "well\n"), "after {path}");
    }
}

#[tokio::test]
async fn neighbours_do_not_notice() {
    let api = turn().await;
    let bad = async {
        for path in ["/trap", "/loop", "/alloc", "/recurse", "/spin-after-response", "/loop"] {
            let request = api.request("GET", path);
            let _ = Answer::try_of(request).await;
        }
    };
    let good = async {
        for _ in 0..300 {
            let answer = api.get("/hello").await;
            assert_eq!((answer.status, answer.body.as_str()), (200, "hello\n"), "{answer:?}");
        }
    };
    tokio::join!(bad, good);
}

#[tokio::test]
async fn many_endless_loops_leave_room_for_others() {
    let api = turn().await;
    let loops = join_all((0..40).map(|_| api.get("/loop")));
    let others = async {
        for _ in 0..50 {
            assert_eq!(api.get("/hello").await.status, 200);
        }
    };
    let (loops, ()) = tokio::join!(loops, others);
    // Several requests share an instance: the one that loops costs those beside it a 500.
    let statuses: Vec<u16> = loops.iter().map(|answer| answer.status).collect();
    assert!(statuses.iter().all(|status| matches!(status, 500 | 503 | 504)), "{statuses:?}");
    assert!(statuses.contains(&504), "{statuses:?}");
}

#[tokio::test]
async fn a_failure_after_the_answer_does_not_spoil_the_next() {
    let api = turn().await;
    for path in ["/trap-after-response", "/spin-after-response"] {
        let answer = api.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "answered\n"), "{path}");
        for _ in 0..20 {
            let answer = api.get("/well").await;
            assert!(matches!(answer.status, 200 | 500 | 504), "{path}: {answer:?}");
        }
        let last = api.get("/hello").await;
        assert_eq!(last.status, 200, "{path}: {last:?}");
    }
}

#[tokio::test]
async fn a_body_cut_short_is_an_error_and_not_a_short_body() {
    let api = turn().await;
    let request = api.request("GET", "/half-then-trap");
    if let Ok(answer) = Answer::try_of(request).await {
        assert_ne!(answer.status, 200, "half a body passed for a whole one: {answer:?}");
    }
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let api = turn().await;
    for _ in 0..5 {
        // An instance that an earlier test has doomed may still take this, and break it off.
        let Ok(answer) = Answer::try_of(api.request("GET", "/big?bytes=20000000")).await else {
            continue;
        };
        if answer.status == 200 {
            assert_eq!(answer.body.len(), 20_000_000, "part of an answer passed for the whole");
            return;
        }
    }
    panic!("no large answer arrives");
}

#[tokio::test]
async fn a_body_of_no_announced_length_that_is_cut_short_is_an_error_too() {
    const BYTES: usize = 50_000_000;
    let api = turn().await;
    for _ in 0..5 {
        let big = api.request("GET", &format!("/big?bytes={BYTES}")).send();
        let mut big = big.await.expect("an answer begins");
        let mut bytes = big.chunk().await.expect("a first piece").map_or(0, |piece| piece.len());
        // The instance that is sending serves this one too, and ends with it.
        api.get("/trap").await.problem(500);
        let whole = loop {
            match big.chunk().await {
                Ok(Some(piece)) => bytes += piece.len(),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        assert!(!whole || bytes == BYTES, "{bytes} bytes passed for {BYTES}");
    }
}

#[tokio::test]
async fn a_talkative_component_is_only_talkative() {
    let api = turn().await;
    let answer = api.get("/stdout?lines=20000").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(api.get("/hello").await.status, 200);
}

/// The component has no limit of its own, so it is the host that refuses: by the length it is told,
/// or by what has come where it is told none.
#[tokio::test]
async fn a_body_at_the_limit_passes_and_one_byte_more_is_413() {
    let api = turn().await;
    const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
    let told = |bytes: usize| reqwest::Body::from(vec![b'x'; bytes]);
    let untold = |bytes: usize| {
        let whole = vec![b'x'; bytes];
        let pieces = whole.chunks(64 * 1024).map(|piece| Ok::<_, Infallible>(piece.to_vec()));
        reqwest::Body::wrap_stream(futures::stream::iter(pieces.collect::<Vec<_>>()))
    };
    for body in [told(BODY_BYTES_MAX), untold(BODY_BYTES_MAX)] {
        let answer = Answer::of(api.request("POST", "/echo").body(body)).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.ends_with(&"x".repeat(1000)));
        assert!(answer.body.len() > BODY_BYTES_MAX);
    }
    for body in [told(BODY_BYTES_MAX + 1), untold(BODY_BYTES_MAX + 1)] {
        let answer = Answer::of(api.request("POST", "/echo").body(body)).await;
        let kind = "urn:ward:problem:content-too-large";
        assert_eq!(answer.problem(413)["type"], kind, "{answer:?}");
    }
}

#[tokio::test]
async fn a_component_sees_the_hosts_headers_and_not_the_clients() {
    let api = turn().await;
    let names = ["spin-full-url", "spin-raw-component-route", "ward-user-id", "ward-user-role"];
    let request = api.request("GET", "/echo?a=b");
    let request = names.iter().fold(request, |request, name| request.header(*name, "forged"));
    let seen = Answer::of(request).await.body;
    assert!(!seen.contains("forged") && !seen.contains("ward-user"), "{seen}");
    assert!(seen.contains("spin-path-info: /echo\n"), "{seen}");
    assert!(seen.contains("spin-full-url: http://") && seen.contains("/echo?a=b\n"), "{seen}");
    assert!(seen.contains("x-request-id: "), "{seen}");
}

#[tokio::test]
async fn a_static_response_needs_no_component() {
    let api = turn().await;
    let answer = api.get("/fixed").await;
    assert_eq!((answer.status, answer.body.as_str()), (418, "short and stout"));
    assert_eq!(answer.header("x-fixed"), "yes");
}

#[tokio::test]
async fn an_instance_is_replaced_after_its_share_of_requests() {
    let api = turn().await;
    let mut counts = Vec::new();
    for _ in 0..300 {
        let answer = api.get("/count").await;
        counts.push(answer.body.trim().parse::<u32>().unwrap_or(0));
    }
    assert!(counts.iter().all(|count| *count <= 128), "{counts:?}");
}

/// A client, and the right to misbehave alone: requests of one component share instances, so two
/// tests at once would see each other's failures.
struct Turn {
    api: Api,
    _alone: MutexGuard<'static, ()>,
}

impl Deref for Turn {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

async fn turn() -> Turn {
    static TURN: Mutex<()> = Mutex::const_new(());
    let alone = TURN.lock().await;
    Turn { api: ward().api(), _alone: alone }
}

/// A ward over the misbehaving guest and a neighbour, kept until the tests end.
fn ward() -> &'static Ward {
    static WARD: OnceLock<Ward> = OnceLock::new();
    WARD.get_or_init(|| {
        let directory = TempDir::with_prefix("ward-test-").expect("a directory").keep();
        let file = directory.join("spin.toml");
        std::fs::write(&file, manifest()).expect("a manifest is written");
        Ward::start_for_good(Options::manifest(&file), directory)
    })
}

/// Deadline and memory are small, so that the tests wait for neither.
fn manifest() -> String {
    let mut text = String::from(
        "spin_manifest_version = 2\n[application]\nname = \"misbehaving\"\nversion = \"0.1.0\"\n",
    );
    text.push_str(
        "[[trigger.http]]\nroute = \"/fixed\"\nstatic_response = { status_code = 418, \
         headers = { x-fixed = \"yes\" }, body = \"short and stout\" }\n",
    );
    let parts = [("/...", "bad", "guest_misbehave"), ("/hello", "good", "guest_hello")];
    for (route, id, guest) in parts {
        let source = wasm(guest);
        let source = source.display();
        write!(
            text,
            "[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"{id}\"\n\
             [component.{id}]\nsource = \"{source}\"\n\
             [component.{id}.tool.ward]\ndeadline = \"2s\"\nmemory_limit = \"64MiB\"\n"
        )
        .expect("text grows");
    }
    text
}
