//! One connection, from accept to close: TLS where it is wanted, then HTTP/2 and nothing else,
//! watched by the clocks of [`Clocks`], ended politely or at once as the server's phase asks.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::clocks::{Clocks, Finding};
use crate::invoke::Invoke;
use crate::limits::{HEAD_BUFFER_FACTOR, Limits, STREAM_SEND_BYTES_MAX};
use crate::server::{Phase, Shared};
use crate::service::Service;

/// The bytes with which an HTTP/2 connection begins (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;

/// The protocol's settings, shared by all connections.
pub(crate) type Protocol = http2::Builder<TokioExecutor>;

/// The protocol's settings.
pub(crate) fn protocol(limits: &Limits) -> Protocol {
    let head = limits.head_bytes_max.saturating_mul(HEAD_BUFFER_FACTOR);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_time_max)
        .max_concurrent_streams(limits.streams_max)
        .max_pending_accept_reset_streams(limits.resets_max)
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        .max_send_buf_size(STREAM_SEND_BYTES_MAX);
    builder
}

/// Serves one connection until it is over.
pub(crate) async fn serve<I: Invoke>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared<I>>,
    mut phase: watch::Receiver<Phase>,
) {
    let Some(tls) = tls else { return converse(stream, shared, phase).await };
    let greeting = tokio::time::timeout(shared.limits.greeting_time_max, tls.accept(stream));
    let stream = tokio::select! {
        greeted = greeting => greeted,
        _ = phase.wait_for(|phase| *phase >= Phase::Closing) => return,
    };
    match stream {
        Ok(Ok(stream)) => converse(stream, shared, phase).await,
        // A client that leaves or talks nonsense is everyday, and not our failure.
        Ok(Err(error)) => tracing::debug!(%error, "a TLS connection was not made"),
        Err(_) => tracing::debug!("a TLS connection was not made in time"),
    }
}

async fn converse<S, I>(stream: S, shared: Arc<Shared<I>>, mut phase: watch::Receiver<Phase>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    I: Invoke,
{
    let clocks = Arc::new(Clocks::new(shared.counters.clone()));
    let watched = TokioIo::new(Watched { stream, received: 0, clocks: clocks.clone() });
    let service =
        Arc::new(Service { shared: shared.clone(), clocks: clocks.clone(), phase: phase.clone() });
    let answer = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let mut connection = pin!(shared.protocol.serve_connection(watched, answer));
    let mut look = tokio::time::interval(shared.limits.watch_interval());
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut asked = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            changed = phase.changed() => match changed.map(|()| *phase.borrow_and_update()) {
                Ok(Phase::Serving | Phase::Draining) => {}
                Ok(Phase::Closing) => connection.as_mut().graceful_shutdown(),
                Ok(Phase::Cut) | Err(_) => return,
            },
            _ = look.tick() => match clocks.look(&shared.limits) {
                Finding::Fine => {}
                Finding::Idle if !asked => {
                    asked = true;
                    connection.as_mut().graceful_shutdown();
                }
                Finding::Idle | Finding::Stuck => return,
            },
        }
    }
}

/// A stream that tells its connection's clocks when the peer has greeted.
struct Watched<S> {
    stream: S,
    received: usize,
    clocks: Arc<Clocks>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if self.received < PREFACE_BYTES {
            self.received += buffer.filled().len() - before;
            if self.received >= PREFACE_BYTES {
                self.clocks.greeted();
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
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
