//! HTTP/2 without TLS, from the first byte; and what its framing allows that HTTP/1 does not.

use ward_http::Limits;

use crate::raw::Raw;
use crate::site::{Site, client_http2, problem};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM_AND_HEADERS: u8 = 5;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET <path>` on a stream, without the dynamic table: indexed method and scheme, literal rest.
fn get(stream: u32, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x01, 1, b'a', 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.as_bytes());
    frame(HEADERS, END_STREAM_AND_HEADERS, stream, &block)
}

async fn connect(site: &Site) -> Raw {
    let mut raw = Raw::connect(site.gateway).await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.send(frame(SETTINGS, 0, 0, &[])).await;
    raw
}

/// The next frame: kind, stream, payload.
async fn next(raw: &mut Raw) -> Option<(u8, u32, Vec<u8>)> {
    let head = raw.exactly(9).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some((head[3], stream, raw.exactly(length as usize).await?))
}

/// The next frame of a kind, whatever comes before it.
async fn next_of(raw: &mut Raw, kind: u8) -> Option<(u32, Vec<u8>)> {
    loop {
        let (found, stream, payload) = next(raw).await?;
        if found == kind {
            return Some((stream, payload));
        }
    }
}

#[tokio::test]
async fn prior_knowledge_works_for_components_and_for_the_host() {
    let site = Site::new().await;
    let client = client_http2();
    let response = client.get(site.url("/one/streamed")).send().await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.text().await.unwrap(), "one two three");
    let response = client.get(site.url("/nowhere")).send().await.unwrap();
    problem(response, 404, "not-found").await;
    let response = client.head(site.url("/robots.txt")).send().await.unwrap();
    assert_eq!(response.headers()["content-length"], "4");
    assert_eq!(response.text().await.unwrap(), "");
}

#[tokio::test]
async fn the_settings_announce_the_number_of_streams() {
    let site = Site::new().await;
    let mut raw = connect(&site).await;
    let (_, settings) = next_of(&mut raw, SETTINGS).await.unwrap();
    let streams = settings.chunks(6).find(|entry| entry[..2] == [0, 3]).unwrap();
    assert_eq!(streams[2..], Limits::default().streams_max.to_be_bytes());
}

#[tokio::test]
async fn a_stream_past_the_limit_is_refused() {
    let site = Site::with(Limits { streams_max: 2, ..Limits::default() }).await;
    let mut raw = connect(&site).await;
    for stream in [1, 3, 5] {
        raw.send(get(stream, "/one/wait")).await;
    }
    let (stream, reason) = next_of(&mut raw, RST_STREAM).await.unwrap();
    assert_eq!((stream, reason), (5, 7_u32.to_be_bytes().to_vec()), "REFUSED_STREAM on the third");
    site.gate.add_permits(2);
    assert!([1, 3].contains(&next_of(&mut raw, HEADERS).await.unwrap().0));
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let site = Site::new().await;
    let mut raw = connect(&site).await;
    let mut flood = Vec::new();
    for stream in (1..2001).step_by(2) {
        flood.extend(get(stream, "/one/wait"));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    raw.send(flood).await;
    let (_, payload) = next_of(&mut raw, GOAWAY).await.unwrap();
    assert_eq!(payload[4..8], 11_u32.to_be_bytes(), "ENHANCE_YOUR_CALM");
    assert_eq!(site.text("/one/read").await, "read 0");
}

#[tokio::test]
async fn a_stream_that_is_never_read_does_not_hold_its_place() {
    let stall = std::time::Duration::from_millis(200);
    let limits =
        Limits { response_stall_max: stall, requests_max: 1, queue_max: 0, ..Limits::default() };
    let site = Site::with(limits).await;
    let mut raw = connect(&site).await;
    // 64 KiB fit into the stream's window; nothing opens it further.
    raw.send(get(1, "/one/huge")).await;
    while site.get("/one/read").await.status() != 503 {}
    while site.get("/one/read").await.status() != 200 {}
    drop(raw);
}
