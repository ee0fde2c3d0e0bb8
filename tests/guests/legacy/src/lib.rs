//! Test guest on WASI 0.2: exports `wasi:http/incoming-handler`, the older of the two shapes that
//! Ward serves. `/` answers with the number of requests its instance has seen, which must always
//! be 1; `/trap`, `/loop`, `/alloc` and `/slow?ms=` misbehave as `guest-misbehave` does.

use std::sync::atomic::{AtomicU32, Ordering};

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Legacy;

wasip2::http::proxy::export!(Legacy);

static SEEN: AtomicU32 = AtomicU32::new(0);

impl wasip2::exports::http::incoming_handler::Guest for Legacy {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/trap" => std::process::abort(),
            "/loop" => loop {
                std::hint::spin_loop();
            },
            "/alloc" => allocate_without_end(),
            "/slow" => sleep(query),
            _ => {}
        }
        let seen = SEEN.fetch_add(1, Ordering::Relaxed) + 1;
        answer(response, &format!("legacy {seen}\n"));
    }
}

fn allocate_without_end() {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1_u8; 1 << 20]);
        std::hint::black_box(&kept);
    }
}

fn sleep(query: &str) {
    let millis = query.strip_prefix("ms=").and_then(|ms| ms.parse::<u64>().ok()).unwrap_or(0);
    monotonic_clock::subscribe_duration(millis * 1_000_000).block();
}

/// Answers 200 with a text. The caller going away meanwhile is not this guest's concern.
fn answer(outparam: ResponseOutparam, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body();
    ResponseOutparam::set(outparam, Ok(response));
    let Ok(body) = body else { return };
    if let Ok(stream) = body.write()
        && stream.blocking_write_and_flush(text.as_bytes()).is_err()
    {
        return;
    }
    let _gone = OutgoingBody::finish(body, None);
}
