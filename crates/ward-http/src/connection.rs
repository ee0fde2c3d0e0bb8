//! One connection, from accept to close: HTTP/1.1 or HTTP/2 as its first bytes say, watched by the
//! clocks of [`Activity`], ended politely or at once as the server's phase asks.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::activity::{Activity, Finding};
use crate::handler::Handler;
use crate::limits::{Limits, STREAM_SEND_BYTES_MAX};
use crate::request::client_address;
use crate::server::{Phase, Shared};
use crate::service::Service;
use crate::table::Table;

/// Serves HTTP on a connection.
pub(crate) type Protocol = auto::Builder<TokioExecutor>;

/// The protocol's settings, shared by all connections.
pub(crate) fn protocol(limits: &Limits) -> Protocol {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(limits.head_buffer_bytes());
    builder
        .http2()
        .max_concurrent_streams(limits.streams_max)
        .max_pending_accept_reset_streams(limits.resets_max)
        .max_header_list_size(u32::try_from(limits.head_buffer_bytes()).unwrap_or(u32::MAX))
        .max_send_buf_size(STREAM_SEND_BYTES_MAX);
    builder
}

/// Serves one connection until it is over.
pub(crate) async fn serve<H: Handler>(
    stream: TcpStream,
    peer: SocketAddr,
    table: Arc<Table<H>>,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
) {
    let activity = Arc::new(Activity::new(shared.counters.clone()));
    let watched = TokioIo::new(Watched { stream, activity: activity.clone() });
    let client = client_address(peer);
    let service =
        Arc::new(Service { shared: shared.clone(), table, activity: activity.clone(), client });
    let answer = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, std::convert::Infallible>(service.answer(request).await) }
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
                    // A client that leaves or talks nonsense is everyday, and not our failure.
                    tracing::debug!(error, "a connection ended early");
                }
                return;
            }
            changed = phase.changed() => match changed.map(|()| *phase.borrow_and_update()) {
                Ok(Phase::Serving | Phase::Draining) => {}
                Ok(Phase::Closing) => connection.as_mut().graceful_shutdown(),
                Ok(Phase::Cut) | Err(_) => return,
            },
            _ = look.tick() => match activity.look(&shared.limits) {
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

/// A socket that tells its connection's clocks what goes through it.
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.activity.sent(polled.is_ready());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.activity.sent(polled.is_ready());
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
