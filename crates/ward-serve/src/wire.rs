//! The bytes of a connection, which tell its clocks what goes through. One that is to be slowed
//! down is not read for a while, so that its client's own buffers fill.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::connection::Connection;
use crate::frames::Frames;
use crate::limits::{OVERHEAD_OF_SENT, READ_TURN_BYTES};

/// With what HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that is watched.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    connection: Arc<Connection>,
    /// What has not come yet of HTTP/2's preface; `None` once that is settled either way.
    preface: Option<&'static [u8]>,
    /// Once HTTP/2 is spoken.
    frames: Option<Frames>,
    /// Bytes sent that have not paid for overhead.
    sent: usize,
    pause: Option<Pin<Box<Sleep>>>,
    /// Bytes read since others had a turn.
    turn: usize,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, connection: Arc<Connection>) -> Self {
        Self {
            stream,
            connection,
            preface: Some(PREFACE),
            frames: None,
            sent: 0,
            pause: None,
            turn: 0,
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.connection.clocks.received();
        let mut bytes = bytes;
        if let Some(missing) = self.preface {
            let (expected, rest) = missing.split_at(bytes.len().min(missing.len()));
            self.preface = bytes.starts_with(expected).then_some(rest);
            if self.preface.is_some_and(<[u8]>::is_empty) {
                (self.preface, self.frames) = (None, Some(Frames::default()));
                self.connection.clocks.greeted();
                bytes = bytes.split_at(expected.len()).1;
            }
        }
        if let Some(frames) = &mut self.frames {
            let overhead = frames.overhead(bytes);
            if overhead > 0 {
                self.pay(overhead);
            }
        }
    }

    /// Pays for overhead, out of what was sent to the client and of its peer's allowance.
    fn pay(&mut self, overhead: usize) {
        let free = overhead.min(self.sent / OVERHEAD_OF_SENT);
        self.sent -= free * OVERHEAD_OF_SENT;
        let overhead = u64::try_from(overhead - free).unwrap_or(u64::MAX);
        self.connection.slow_down(self.connection.peer.overhead.spend(overhead));
    }

    fn wrote(&mut self, polled: &Poll<io::Result<usize>>) {
        self.connection.clocks.sent(polled.is_ready());
        if let Poll::Ready(Ok(count)) = polled {
            self.sent = self.sent.saturating_add(*count);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(wait) = self.connection.take_pause() {
            self.pause = Some(Box::pin(sleep(wait)));
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        // Whoever has sent thousands of requests while it was not read is not served in one go.
        if self.turn >= READ_TURN_BYTES {
            self.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match buffer.filled().get(before..) {
            Some(bytes) if polled.is_ready() => {
                self.turn = self.turn.saturating_add(bytes.len());
                self.received(bytes);
            }
            _ => self.turn = 0,
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.wrote(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::house::House;
    use crate::limits::{Limits, OVERHEAD_BYTES};
    use crate::network::Proxies;

    fn window_updates(bytes: usize) -> Vec<u8> {
        [0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1].repeat(bytes / 13)
    }

    /// What becomes of one who speaks HTTP/2 and was sent so much: whether it is read more slowly.
    async fn is_slowed(sent: usize, begin: &[u8], bytes: &[u8]) -> bool {
        let house = House::new(Limits::default(), Proxies::default());
        let from = SocketAddr::from(([10, 0, 0, 1], 1));
        let entered = house.peers.enter(&house, from).unwrap();
        let (mut client, server) = duplex(begin.len() + bytes.len() + sent);
        let mut wire = Wire::new(server, entered.0.clone());
        wire.write_all(&vec![0; sent]).await.unwrap();
        client.write_all(begin).await.unwrap();
        client.write_all(bytes).await.unwrap();
        let mut read = vec![0; begin.len() + bytes.len()];
        wire.read_exact(&mut read).await.unwrap();
        entered.0.take_pause().is_some()
    }

    #[tokio::test]
    async fn more_frames_for_nothing_than_one_may_send_are_read_slowly() {
        let burst = usize::try_from(OVERHEAD_BYTES.1).unwrap();
        assert!(!is_slowed(0, PREFACE, &window_updates(burst / 2)).await);
        assert!(is_slowed(0, PREFACE, &window_updates(burst + 64 * 1024)).await);
        let sent = 128 * 1024 * OVERHEAD_OF_SENT;
        assert!(!is_slowed(sent, PREFACE, &window_updates(burst + 64 * 1024)).await, "a download");
    }

    #[tokio::test]
    async fn what_is_no_http2_has_no_frames() {
        let burst = usize::try_from(OVERHEAD_BYTES.1).unwrap();
        assert!(!is_slowed(0, b"", &window_updates(2 * burst)).await);
    }

    #[tokio::test]
    async fn others_have_a_turn_between_many_bytes() {
        let house = House::new(Limits::default(), Proxies::default());
        let from = SocketAddr::from(([10, 0, 0, 1], 1));
        let entered = house.peers.enter(&house, from).unwrap();
        let (mut client, server) = duplex(4 * READ_TURN_BYTES);
        client.write_all(&vec![b'x'; 4 * READ_TURN_BYTES]).await.unwrap();
        let mut wire = Wire::new(server, entered.0.clone());
        let (mut turns, mut read) = (0, 0);
        let mut buffer = vec![0; 8 * 1024];
        let mut context = Context::from_waker(std::task::Waker::noop());
        while read < 4 * READ_TURN_BYTES {
            let mut piece = ReadBuf::new(&mut buffer);
            match Pin::new(&mut wire).poll_read(&mut context, &mut piece) {
                Poll::Ready(result) => result.unwrap(),
                Poll::Pending => turns += 1,
            }
            read += piece.filled().len();
        }
        assert_eq!(turns, 3);
    }
}
