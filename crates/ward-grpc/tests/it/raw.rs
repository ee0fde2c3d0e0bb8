//! Requests made by hand, for what no gRPC client would send.

use bytes::{BufMut, Bytes};
use http::{Request, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;
use tonic::Code;

use crate::site::{ASK_OPENLY, PATIENCE, Question, Site};

type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// An HTTP/2 connection of its own.
pub(crate) struct Raw {
    sender: SendRequest<Body>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) http: StatusCode,
    /// `grpc-status`, from the head or the trailers.
    pub(crate) code: Option<Code>,
    pub(crate) body: Bytes,
}

impl Raw {
    pub(crate) async fn connect(site: &Site) -> Self {
        let stream = TcpStream::connect(site.address).await.expect("a connection");
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self { sender }
    }

    /// A question to the public method with further metadata.
    pub(crate) async fn call(&mut self, metadata: &[(&str, &str)], what: &str) -> Answer {
        let question = Question { what: what.to_owned(), ..Question::default() };
        self.send(request(metadata), frame(0, &question.encode_to_vec())).await
    }

    /// The same, with a message that begins and does not end.
    pub(crate) async fn call_without_end(&mut self, metadata: &[(&str, &str)]) -> Answer {
        let stream = futures::StreamExt::chain(
            futures::stream::iter([Ok(http_body::Frame::data(frame(0, &[]).slice(..3)))]),
            futures::stream::pending(),
        );
        self.exchange(request(metadata), StreamBody::new(stream).boxed_unsync()).await
    }

    /// Any request.
    pub(crate) async fn send(&mut self, head: http::request::Builder, body: Bytes) -> Answer {
        self.exchange(head, Full::new(body).boxed_unsync()).await
    }

    async fn exchange(&mut self, head: http::request::Builder, body: Body) -> Answer {
        let answer = self.sender.send_request(head.body(body).unwrap());
        let answer = tokio::time::timeout(PATIENCE, answer).await.expect("an answer").unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("a whole body");
        let trailers = body.trailers().cloned().unwrap_or_default();
        let code = parts.headers.get("grpc-status").or_else(|| trailers.get("grpc-status"));
        let code = code.map(|value| Code::from_bytes(value.as_bytes()));
        Answer { http: parts.status, code, body: body.to_bytes() }
    }
}

/// The head of a call to the public method.
pub(crate) fn request(metadata: &[(&str, &str)]) -> http::request::Builder {
    request_to(ASK_OPENLY, metadata)
}

/// The head of a call to any path.
pub(crate) fn request_to(path: &str, metadata: &[(&str, &str)]) -> http::request::Builder {
    let head = Request::post(format!("http://ward{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    metadata.iter().fold(head, |head, (name, value)| head.header(*name, *value))
}

/// A message as gRPC frames it.
pub(crate) fn frame(compressed: u8, message: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(5 + message.len());
    frame.put_u8(compressed);
    frame.put_u32(message.len().try_into().unwrap());
    frame.put_slice(message);
    frame.into()
}

#[tokio::test]
async fn what_is_no_call_gets_an_http_status() {
    let site = Site::new().await;
    let mut raw = Raw::connect(&site).await;
    let get = Request::get(format!("http://ward{ASK_OPENLY}"));
    let answer = raw.send(get.header("content-type", "application/grpc"), Bytes::new()).await;
    assert_eq!((answer.http, answer.code), (StatusCode::METHOD_NOT_ALLOWED, None));
    for kind in ["application/json", "application/grpc-web", "application/grpc+json"] {
        let post = Request::post(format!("http://ward{ASK_OPENLY}")).header("content-type", kind);
        let answer = raw.send(post, Bytes::new()).await;
        assert_eq!((answer.http, answer.code), (StatusCode::UNSUPPORTED_MEDIA_TYPE, None));
    }
    assert_eq!(site.reached(), 0);
}

#[tokio::test]
async fn frames_that_are_none() {
    let site = Site::new().await;
    let mut raw = Raw::connect(&site).await;
    let question = Question { what: "echo".to_owned(), ..Question::default() }.encode_to_vec();
    let whole = frame(0, &question);
    for body in
        [Bytes::new(), whole.slice(..3), whole.slice(..whole.len() - 1), frame(9, &question)]
    {
        let answer = raw.send(request(&[]), body).await;
        assert_eq!(answer.code, Some(Code::Internal));
    }
    let answer = raw.send(request(&[]), frame(0, b"\xff\xff\xff\xff")).await;
    assert_eq!(answer.code, Some(Code::InvalidArgument));
    assert_eq!(site.reached(), 0);
    assert_eq!(raw.send(request(&[]), whole).await.code, Some(Code::Ok));
}
