//! Probes of what leaves the host: HTTP requests and sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use spin_sdk::http::body::IncomingBodyExt;

use crate::{Outcome, Query, text};

/// `url`: GET it; status, `location` if there is one, and body.
pub(crate) async fn http(query: &Query) -> Outcome {
    let response = spin_sdk::http::get(query.get("url")?).await.map_err(text)?;
    let status = response.status().as_u16();
    let location = match response.headers().get("location") {
        Some(location) => format!(" to {}", String::from_utf8_lossy(location.as_bytes())),
        None => String::new(),
    };
    let body = response.into_body().bytes().await.map_err(text)?;
    Ok(format!("{status}{location} {}", String::from_utf8_lossy(&body)))
}

/// `addr`: connect over TCP, send `ping`, read what comes.
pub(crate) fn socket(query: &Query) -> Outcome {
    let mut stream = TcpStream::connect(query.get("addr")?).map_err(text)?;
    stream.write_all(b"ping").map_err(text)?;
    let mut answer = [0_u8; 64];
    let len = stream.read(&mut answer).map_err(text)?;
    Ok(String::from_utf8_lossy(answer.get(..len).unwrap_or_default()).into_owned())
}

/// `addr`: listen there.
pub(crate) fn listen(query: &Query) -> Outcome {
    let listener = TcpListener::bind(query.get("addr")?).map_err(text)?;
    listener.local_addr().map(|addr| addr.to_string()).map_err(text)
}
