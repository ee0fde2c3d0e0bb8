//! How commands speak to the listener of a ward that runs: HTTP in clear text, since that is what
//! it speaks on this machine. One request, one answer.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use ward_manifest::App;

use super::token::{self, VARIABLE};
use crate::cli::OpsArgs;
use crate::failure::Failure;

/// What is answered, or what the ward says against it.
pub(crate) async fn ask(
    args: &OpsArgs,
    (method, path): (Method, &str),
    body: Bytes,
) -> Result<Value, Failure> {
    let to = &args.ops;
    let token = token_of(args)?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, to)
        .header(AUTHORIZATION, secret(&token)?)
        .body(Full::new(body))
        .map_err(Failure::because(format!("asking {to}")))?;
    let away = |error: &dyn std::fmt::Display| {
        Failure::new(format!("no ward answers operators at {to}: {error}"))
            .help("`ward up` prints where it does, as `ops`; say so with --ops")
    };
    let stream = TcpStream::connect(to).await.map_err(|error| away(&error))?;
    let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connected.map_err(|error| away(&error))?;
    let driving = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(|error| away(&error))?;
    let status = answer.status();
    let bytes = answer.into_body().collect().await.map_err(|error| away(&error))?.to_bytes();
    driving.abort();
    let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if status.is_success() { Ok(answer) } else { Err(refusal(status, &answer)) }
}

fn refusal(status: StatusCode, answer: &Value) -> Failure {
    let detail = answer.get("detail").and_then(Value::as_str);
    let failure = match detail {
        Some(detail) => Failure::new(detail),
        None => Failure::new(format!("the ward answers {status}")),
    };
    match status {
        StatusCode::UNAUTHORIZED => failure.help(format!(
            "is it the same state directory? --state-dir, or {VARIABLE}, says which"
        )),
        _ => failure,
    }
}

fn secret(token: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Failure::new("the operators' token has characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn token_of(args: &OpsArgs) -> Result<String, Failure> {
    let state = match &args.state_dir {
        Some(state) => state.clone(),
        None => App::load(&args.from.from)?.root.join(".ward"),
    };
    token::find(&state)?.ok_or_else(|| {
        let text = format!("there is no operators' token in {}", state.display());
        Failure::new(text).help(format!("--state-dir says where it is, or {VARIABLE} has it"))
    })
}
