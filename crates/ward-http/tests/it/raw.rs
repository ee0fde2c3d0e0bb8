//! HTTP/1 byte by byte, for what no well-behaved client sends.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::site::PATIENCE;

/// One connection.
pub(crate) struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), received: Vec::new() }
    }

    /// One from another address of this machine.
    pub(crate) async fn connect_from(from: [u8; 4], address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        Self { stream: socket.connect(address).await.unwrap(), received: Vec::new() }
    }

    /// Sends what it can; a peer that has closed its side is no failure here.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Receives more; `false` at the end, or when the peer resets the connection.
    async fn receive(&mut self) -> bool {
        let mut buffer = [0; 64 * 1024];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer));
        match read.await.expect("bytes or an end in time") {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                true
            }
        }
    }

    /// Everything up to the connection's end.
    pub(crate) async fn rest(mut self) -> String {
        while self.receive().await {}
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// One response with a `content-length`, or what there was of it.
    pub(crate) async fn response(&mut self) -> String {
        loop {
            if let Some(end) = self.response_end() {
                let rest = self.received.split_off(end);
                let response = std::mem::replace(&mut self.received, rest);
                return String::from_utf8_lossy(&response).into_owned();
            }
            if !self.receive().await {
                return String::from_utf8_lossy(&std::mem::take(&mut self.received)).into_owned();
            }
        }
    }

    fn response_end(&self) -> Option<usize> {
        let text = String::from_utf8_lossy(&self.received);
        let head = text.find("\r\n\r\n")? + 4;
        let length = text[..head].lines().find_map(|l| l.strip_prefix("content-length: "));
        let end = head + length.map_or(0, |length| length.parse::<usize>().unwrap());
        (self.received.len() >= end).then_some(end)
    }

    /// The next bytes as they come, with a limit on the wait.
    pub(crate) async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.received.len() < length {
            if !self.receive().await {
                return None;
            }
        }
        let rest = self.received.split_off(length);
        Some(std::mem::replace(&mut self.received, rest))
    }

    /// Whether nothing arrives for this long.
    pub(crate) async fn is_silent_for(&mut self, time: std::time::Duration) -> bool {
        let mut byte = [0];
        tokio::time::timeout(time, self.stream.peek(&mut byte)).await.is_err()
    }
}

/// Sends `request` and returns everything that comes back before the server closes.
pub(crate) async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::connect(address).await;
    raw.send(request).await;
    raw.rest().await
}

/// How many responses `text` holds.
pub(crate) fn responses(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}
