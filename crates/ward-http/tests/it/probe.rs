//! A handler that does what the last segment of the path says.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::Semaphore;
use ward_http::Handler;
use ward_runtime::{Body, BodyError, CallContext, HandleError};

use crate::site::PATIENCE;

/// The longest a request may take here; the tests that wait for it wait this long.
pub(crate) const DEADLINE: Duration = Duration::from_millis(300);

/// The media type of streams that the server may end.
const EVENTS: &str = "text/event-stream; charset=utf-8";

/// What a failing component would tell the log, and must not tell the client.
pub(crate) const SECRET: &str = "Jane Roe at 0x1234";

/// One component's stand-in.
pub(crate) struct Probe {
    pub(crate) name: String,
    /// Each permit lets one `/wait` answer.
    pub(crate) gate: Arc<Semaphore>,
}

impl Handler for Probe {
    fn deadline(&self) -> Duration {
        DEADLINE
    }

    fn stream_deadline(&self) -> Duration {
        if self.name == "two" { PATIENCE } else { DEADLINE }
    }

    async fn handle(
        &self,
        request: Request<Body>,
        context: CallContext,
    ) -> Result<Response<Body>, HandleError> {
        let path = request.uri().path().trim_end_matches('/').to_owned();
        match path.rsplit('/').next().unwrap() {
            "read" => Ok(read(request).await),
            "wait" => {
                self.gate.acquire().await.unwrap().forget();
                Ok(full("waited"))
            }
            "linger" => {
                // Work that does not end with whoever waits for it.
                let gate = self.gate.clone();
                let work = async move {
                    gate.acquire().await.unwrap().forget();
                    drop(context);
                };
                tokio::spawn(work).await.unwrap();
                Ok(full("lingered"))
            }
            "slow" => {
                tokio::time::sleep(DEADLINE).await;
                Err(HandleError::Deadline)
            }
            "trap" => Err(HandleError::Trapped(SECRET.to_owned())),
            "instantiate" => Err(HandleError::Instantiate(SECRET.to_owned())),
            "guest" => Err(HandleError::Guest(SECRET.to_owned())),
            "overloaded" => Err(HandleError::Overloaded),
            "endless" => Ok(endless()),
            "events" => {
                let mut stream = endless();
                stream.headers_mut().insert("content-type", EVENTS.parse().unwrap());
                Ok(stream)
            }
            "broken" => Ok(broken()),
            "huge" => Ok(huge()),
            "streamed" => Ok(streamed()),
            _ => Ok(self.show(&request)),
        }
    }
}

impl Probe {
    /// What a component sees of a request, a line each.
    fn show(&self, request: &Request<Body>) -> Response<Body> {
        let mut text = format!("{} {} {}\n", self.name, request.method(), request.uri());
        text += &lines(request.headers());
        full(text)
    }
}

fn lines(headers: &HeaderMap) -> String {
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines.concat()
}

/// Reads the body to its end; says how long it was, or how it failed.
async fn read(request: Request<Body>) -> Response<Body> {
    match request.into_body().collect().await {
        Ok(body) => full(format!("read {}", body.to_bytes().len())),
        Err(error) => full(format!("failed: {error}")),
    }
}

fn full(body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {});
    Response::new(body.boxed_unsync())
}

fn frames(
    frames: impl futures::Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
) -> Response<Body> {
    use futures::StreamExt;
    let frames = frames.map(|frame| frame.map(http_body::Frame::data));
    Response::new(StreamBody::new(frames).boxed_unsync())
}

fn streamed() -> Response<Body> {
    let parts = ["one ", "two ", "three"].map(|part| Ok(Bytes::from(part)));
    frames(futures::stream::iter(parts))
}

/// 64 MiB in pieces: more than any socket or window takes in unread.
fn huge() -> Response<Body> {
    let piece = Bytes::from(vec![b'x'; 64 << 10]);
    frames(futures::stream::iter((0..1024).map(move |_| Ok(piece.clone()))))
}

fn endless() -> Response<Body> {
    use futures::StreamExt;
    let first = futures::stream::iter([Ok(Bytes::from("begun"))]);
    frames(first.chain(futures::stream::pending()))
}

/// Fails once its beginning has been sent.
fn broken() -> Response<Body> {
    use futures::StreamExt;
    let first = futures::stream::iter([Ok(Bytes::from("begun"))]);
    let failure = futures::stream::once(async {
        tokio::time::sleep(DEADLINE / 10).await;
        Err(BodyError::InternalError(None))
    });
    frames(first.chain(failure))
}
