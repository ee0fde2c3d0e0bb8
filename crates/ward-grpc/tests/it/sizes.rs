//! Messages and metadata, each at its limit and one byte past it.

use prost::Message;
use tonic::Code;
use ward_grpc::Limits;

use crate::raw::{Raw, request};
use crate::site::{ASK_OPENLY, Answer, Question, Site, defaults, question};

const LIMIT: usize = 10_000;

fn limits() -> Limits {
    Limits { message_bytes_max: LIMIT, ..Limits::default() }
}

#[test]
fn the_defaults() {
    let limits = Limits::default();
    assert_eq!((limits.message_bytes_max, limits.server.head_bytes_max), (4 << 20, 16 << 10));
}

#[tokio::test]
async fn a_message_at_the_limit_passes_and_a_byte_more_does_not() {
    let site = Site::with(limits()).await;
    let client = site.client().await;
    for (length, code) in [(LIMIT, Code::Ok), (LIMIT + 1, Code::ResourceExhausted)] {
        let mut request = question("echo", 0);
        request.get_mut().padding = "x".repeat(1000);
        let own = request.get_ref().encoded_len() - 1000;
        request.get_mut().padding = "x".repeat(length - own);
        assert_eq!(request.get_ref().encoded_len(), length);
        let answer = client.call(ASK_OPENLY, request).await;
        assert_eq!(answer.map_or_else(|status| status.code(), |_| Code::Ok), code, "{length}");
    }
    assert_eq!(site.reached(), 1);
}

#[tokio::test]
async fn an_answer_at_the_limit_passes_and_a_byte_more_does_not() {
    let site = Site::with(limits()).await;
    let client = site.client().await;
    let own = Answer { text: "y".repeat(1000), count: 0 }.encoded_len() - 1000;
    let longest = u32::try_from(LIMIT - own).unwrap();
    assert_eq!(client.ask("long", longest).await.unwrap().encoded_len(), LIMIT);
    let status = client.ask("long", longest + 1).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn metadata_at_the_limit_passes_and_a_byte_more_does_not() {
    let limits = ward_serve::Limits { head_bytes_max: 2000, ..defaults() };
    let site = Site::serving(limits).await;
    let mut raw = Raw::connect(&site).await;
    // The client's library adds the length: five bytes of frame and six of message.
    let length = ["content-length", "11"];
    let fields = ["content-type", "application/grpc", "te", "trailers", "x"];
    let own = fields.iter().chain(&length).map(|text| text.len()).sum::<usize>() + 4 * 32;
    for (length, code) in [(2000 - own, Code::Ok), (2001 - own, Code::ResourceExhausted)] {
        let answer = raw.call(&[("x", &"y".repeat(length))], "echo").await;
        assert_eq!(answer.code, Some(code), "{length}");
    }
    // Far beyond it nobody reads the rest; the library answers.
    let head = request(&[("x", &"y".repeat(6000))]);
    assert_eq!(raw.send(head, bytes::Bytes::new()).await.http, 431);
    assert_eq!(site.reached(), 1);
}

#[tokio::test]
async fn an_empty_message_is_one_with_nothing_in_it() {
    let site = Site::new().await;
    let mut raw = Raw::connect(&site).await;
    let message = Question { what: "echo".to_owned(), ..Question::default() }.encode_to_vec();
    let answer = raw.send(request(&[]), crate::raw::frame(0, &message)).await;
    assert_eq!(answer.code, Some(Code::Ok));
    // An answer of defaults only: five bytes of frame around nothing.
    assert_eq!(answer.body, [0, 0, 0, 0, 0].as_slice());
}
