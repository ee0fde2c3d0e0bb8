//! Test guest: does on request what a bad component would do. Each path is one way; what it should
//! cost, and whom, is up to the test. `/count` tells instances apart: it counts the requests that
//! this instance has answered on it, and `/` simply works. What waits for the end of its request's
//! body does so for as long as the test wants it to.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt;
use spin_sdk::http::body::{IncomingBodyExt, stream};
use spin_sdk::http::{BoxBody, FullBody, Request, Response, Result, StatusCode, box_body};
use spin_sdk::http_service;

static COUNT: AtomicU32 = AtomicU32::new(0);
/// Requests for `/stay` that this instance has at the moment.
static STAYING: AtomicU32 = AtomicU32::new(0);

#[http_service]
async fn handle(request: Request) -> Result<Response<BoxBody>> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    match path.as_str() {
        "/trap" => std::process::abort(),
        "/exit" => std::process::exit(3),
        "/loop" => spin_for_ever(),
        "/compute" => text(format!("{}\n", compute(number(&query, "rounds")))),
        "/alloc" => allocate_without_end(),
        "/recurse" => text(format!("{}\n", recurse(1))),
        "/sleep" => {
            spin_sdk::time::sleep(Duration::from_millis(number(&query, "ms"))).await;
            text("slept\n")
        }
        "/hold" => hold(request, number(&query, "bytes"), number(&query, "ms")).await,
        "/stay" => stay(request).await,
        "/staying" => text(format!("{}\n", STAYING.load(Ordering::Relaxed))),
        "/big" => big(number(&query, "bytes")),
        "/drip" => drip(Duration::from_millis(number(&query, "ms"))),
        "/spin-after-response" => after_response(|| spin_for_ever()),
        "/trap-after-response" => after_response(|| std::process::abort()),
        "/half-then-trap" => half_then_trap(),
        "/echo" => echo(request).await,
        "/count" => text(format!("{}\n", COUNT.fetch_add(1, Ordering::Relaxed) + 1)),
        "/stdout" => print_lines(number(&query, "lines").max(1)),
        "/error" => Err(spin_sdk::http::Error::other("the guest gives up")),
        _ => text("well\n"),
    }
}

fn spin_for_ever() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Takes a while, and comes to an end.
fn compute(rounds: u64) -> u64 {
    (0..rounds).fold(1, |state, round| black_box(state.rotate_left(7) ^ round))
}

fn allocate_without_end() -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1_u8; 1 << 20]);
        black_box(&kept);
    }
}

/// Takes so many bytes, or as many as there are, and keeps them until the request's body ends and
/// so many milliseconds after. Answers how many it got.
async fn hold(request: Request, bytes: u64, ms: u64) -> Result<Response<BoxBody>> {
    const PIECE: usize = 64 * 1024;
    let pieces = bytes as usize / PIECE;
    let mut held: Vec<Vec<u8>> = Vec::with_capacity(pieces);
    while held.len() < pieces {
        let mut piece = Vec::new();
        if piece.try_reserve_exact(PIECE).is_err() {
            break;
        }
        piece.resize(PIECE, 1);
        held.push(piece);
    }
    let got = held.len() * PIECE;
    if held.len() < pieces {
        // Something is left for the answer.
        held.pop();
    }
    request.into_body().bytes().await?;
    spin_sdk::time::sleep(Duration::from_millis(ms)).await;
    drop(black_box(held));
    text(format!("{got}\n"))
}

/// Stays until the request's body ends. Answers how many did so in this instance when it came.
async fn stay(request: Request) -> Result<Response<BoxBody>> {
    let staying = STAYING.fetch_add(1, Ordering::Relaxed) + 1;
    let end = request.into_body().bytes().await;
    STAYING.fetch_sub(1, Ordering::Relaxed);
    end?;
    text(format!("{staying}\n"))
}

/// Uses up the stack: the addition after the call keeps it from becoming a loop.
fn recurse(depth: u64) -> u64 {
    let frame = [depth; 64];
    match black_box(depth) {
        0 => 0,
        _ => recurse(depth + 1) + black_box(frame)[0],
    }
}

/// Answers at once, then goes on in a task of its own.
fn after_response(then: impl FnOnce() + 'static) -> Result<Response<BoxBody>> {
    spin_sdk::wasip3::spawn(async move {
        spin_sdk::time::sleep(Duration::from_millis(50)).await;
        then();
    });
    text("answered\n")
}

/// Ends in the middle of a body whose length it has promised.
fn half_then_trap() -> Result<Response<BoxBody>> {
    let (mut sender, body) = stream::<Bytes>();
    spin_sdk::wasip3::spawn(async move {
        if sender.send(Bytes::from_static(b"half")).await.is_ok() {
            spin_sdk::time::sleep(Duration::from_millis(50)).await;
        }
        std::process::abort();
    });
    let mut response = Response::new(box_body(body));
    response.headers_mut().insert("content-length", 8.into());
    Ok(response)
}

/// A body of this many bytes, in pieces of 64 KiB.
fn big(bytes: u64) -> Result<Response<BoxBody>> {
    const PIECE: u64 = 64 * 1024;
    let (mut sender, body) = stream::<Bytes>();
    spin_sdk::wasip3::spawn(async move {
        let mut left = bytes;
        while left > 0 {
            let size = left.min(PIECE);
            left -= size;
            if sender.send(Bytes::from(vec![b'x'; size as usize])).await.is_err() {
                return;
            }
        }
    });
    Ok(Response::new(box_body(body)))
}

/// A body that begins at once and ends after this time, with a piece now and then.
fn drip(time: Duration) -> Result<Response<BoxBody>> {
    const PAUSE: Duration = Duration::from_millis(50);
    let (mut sender, body) = stream::<Bytes>();
    spin_sdk::wasip3::spawn(async move {
        let begun = std::time::Instant::now();
        while begun.elapsed() < time && sender.send(Bytes::from_static(b".")).await.is_ok() {
            spin_sdk::time::sleep(PAUSE).await;
        }
    });
    Ok(Response::new(box_body(body)))
}

/// Method, target and headers as text lines, an empty line, and the body as it came.
async fn echo(request: Request) -> Result<Response<BoxBody>> {
    let (head, body) = request.into_parts();
    let mut answer = format!("{} {}\n", head.method, head.uri).into_bytes();
    for (name, value) in &head.headers {
        answer.extend_from_slice(name.as_str().as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value.as_bytes());
        answer.push(b'\n');
    }
    answer.push(b'\n');
    answer.extend_from_slice(&body.bytes().await?);
    Ok(Response::new(box_body(FullBody::new(Bytes::from(answer)))))
}

fn print_lines(lines: u64) -> Result<Response<BoxBody>> {
    for line in 1..=lines {
        println!("stdout line {line}");
        eprintln!("stderr line {line}");
    }
    text("printed\n")
}

fn text(text: impl Into<String>) -> Result<Response<BoxBody>> {
    let mut response = Response::new(box_body(FullBody::new(Bytes::from(text.into()))));
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

/// A number of the query, 0 where it is missing.
fn number(query: &str, name: &str) -> u64 {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0)
}
