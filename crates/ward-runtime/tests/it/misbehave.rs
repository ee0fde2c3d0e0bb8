//! Components that trap, loop, allocate or recurse without end. Each costs its own request, in
//! time, and nobody else anything. `p3` and `p2` are the two shapes of component; `good` is a
//! neighbour that must not notice.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::BodyExt;
use ward_runtime::HandleError;

use super::host::{Host, plan, url};

const DEADLINE: Duration = Duration::from_millis(1500);

fn host() -> Host {
    plan(
        r#"
[[trigger.http]]
id = "p3"
route = "/p3/..."
component = "p3"

[[trigger.http]]
id = "p2"
route = "/p2/..."
component = "p2"

[[trigger.http]]
id = "good"
route = "/good/..."
component = "good"

[component.p3]
source = "{guest-misbehave}"
tool.ward = { deadline = "1500ms", memory_limit = "32MiB" }

[component.p2]
source = "{guest-legacy}"
tool.ward = { deadline = "1500ms", memory_limit = "32MiB" }

[component.good]
source = "{guest-misbehave}"
"#,
    )
    .load()
}

/// The error of a request that must fail, well before anything but the deadline could end it.
async fn fails(host: &Host, trigger: &str, path: &str) -> HandleError {
    let start = Instant::now();
    let error = host.get(trigger, path).await.expect_err(path);
    let took = start.elapsed();
    assert!(took < DEADLINE * 3, "{trigger} {path}: {took:?}");
    error
}

/// The component answers again, and so does its neighbour.
async fn recovers(host: &Host, trigger: &str) {
    assert!(!host.text(trigger, "/").await.is_empty());
    assert_eq!(host.text("good", "/").await, "well\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn traps_are_told_apart_and_survived() {
    let host = host();
    for path in ["/trap", "/exit", "/alloc", "/recurse"] {
        let error = fails(&host, "p3", path).await;
        assert!(matches!(error, HandleError::Trapped(_)), "{path}: {error:?}");
        recovers(&host, "p3").await;
    }
}

/// A p2 guest that traps has not set its response, and wasi-http reports that first.
#[tokio::test(flavor = "multi_thread")]
async fn p2_traps_are_survived() {
    let host = host();
    for path in ["/trap", "/alloc"] {
        let error = fails(&host, "p2", path).await;
        let known = matches!(error, HandleError::Trapped(_) | HandleError::Guest(_));
        assert!(known, "{path}: {error:?}");
        recovers(&host, "p2").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_work_ends_at_the_deadline() {
    let host = host();
    for (trigger, path) in
        [("p3", "/loop"), ("p3", "/sleep?ms=60000"), ("p2", "/loop"), ("p2", "/slow?ms=60000")]
    {
        let error = fails(&host, trigger, path).await;
        assert!(matches!(error, HandleError::Deadline), "{trigger} {path}: {error:?}");
        recovers(&host, trigger).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_code_is_the_guests_own() {
    let host = host();
    let error = fails(&host, "p3", "/error").await;
    assert!(matches!(error, HandleError::Guest(_)), "{error:?}");
    recovers(&host, "p3").await;
}

/// As many loops as there are threads, and more: the neighbour still answers at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_leave_time_for_the_others() {
    let host = host();
    assert_eq!(host.text("good", "/").await, "well\n");
    let loops = join_all((0..6).map(|n| {
        let trigger = if n % 2 == 0 { "p3" } else { "p2" };
        host.get(trigger, "/loop")
    }));
    let others = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let start = Instant::now();
            assert_eq!(host.text("good", "/").await, "well\n");
            slowest = slowest.max(start.elapsed());
        }
        slowest
    };
    let (loops, slowest) = futures::join!(loops, others);
    assert!(loops.iter().all(|result| matches!(result, Err(HandleError::Deadline))), "{loops:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_after_the_response_does_not_touch_it() {
    let host = host();
    for path in ["/trap-after-response", "/spin-after-response"] {
        assert_eq!(host.text("p3", path).await, "answered\n");
        tokio::time::sleep(Duration::from_millis(200)).await;
        recovers(&host, "p3").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_amid_the_body_ends_it_with_an_error() {
    let host = host();
    let request = http::Request::get(url("/half-then-trap"));
    let response = host.begin("p3", request, Bytes::new()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.is_err());
    recovers(&host, "p3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_a_time_of_its_own() {
    let host = plan(
        r#"
[[trigger.http]]
id = "short"
route = "/short/..."
component = "short"

[[trigger.http]]
id = "long"
route = "/long/..."
component = "long"

[component.short]
source = "{guest-misbehave}"
tool.ward = { deadline = "500ms" }

[component.long]
source = "{guest-misbehave}"
tool.ward = { deadline = "500ms", stream_deadline = "1m" }
"#,
    )
    .load();
    for (trigger, whole) in [("short", false), ("long", true)] {
        let request = http::Request::get(url("/drip?ms=1500"));
        let response = host.begin(trigger, request, Bytes::new()).await.unwrap();
        assert_eq!(response.into_body().collect().await.is_ok(), whole, "{trigger}");
    }
    let error = host.get("long", "/sleep?ms=60000").await.expect_err("a head has no more time");
    assert!(matches!(error, HandleError::Deadline), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_stream_in_both_directions() {
    let host = host();
    let bytes = 40 << 20;
    assert_eq!(host.text("good", &format!("/big?bytes={bytes}")).await.len(), bytes);
    let body = Bytes::from(vec![b'y'; 1 << 20]);
    let request = http::Request::post(url("/echo"));
    let echo = host.ask("good", request, body.clone()).await.unwrap();
    assert!(echo.body.as_bytes().ends_with(&body));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_all_get_their_own_answer() {
    let host = host();
    let answers = join_all((0..200).map(|n| {
        let host = &host;
        async move {
            let request = http::Request::post(url(&format!("/echo?n={n}")));
            let body = Bytes::from(format!("body {n}"));
            host.ask("good", request, body).await.unwrap().body
        }
    }))
    .await;
    for (n, answer) in answers.iter().enumerate() {
        assert!(answer.contains(&format!("/echo?n={n}\n")), "{answer}");
        assert!(answer.ends_with(&format!("\n\nbody {n}")), "{answer}");
    }
}
