//! One connection, from accept to close: TLS where it is wanted, HTTP/1.1 or HTTP/2 as its first
//! bytes say, watched by its [`Clocks`], ended politely or at once as the server's phase asks, or
//! because another needs its room.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsAcceptor;

use crate::clocks::{Clocks, Finding, Idleness};
use crate::house::House;
use crate::limits::{
    CONNECTION_RECEIVE_BYTES_MAX, Limits, STREAM_RECEIVE_BYTES_MAX, STREAM_SEND_BYTES_MAX,
};
use crate::network::Network;
use crate::peers::{Entered, Peer};
use crate::server::{Phase, Service};
use crate::wire::Wire;

/// What a connection was let in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything.
    Usual,
    /// Only what the host itself says of its health: there was no room for more.
    Spare,
}

/// One connection, and what is known of it.
#[derive(Debug)]
pub struct Connection {
    house: Arc<House>,
    pub(crate) peer: Arc<Peer>,
    address: SocketAddr,
    address_value: OnceLock<HeaderValue>,
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    is_proxy: bool,
    pub(crate) clocks: Clocks,
    /// Places among the requests at work.
    pub(crate) places: AtomicUsize,
    /// For so many milliseconds nothing more is read.
    pause: AtomicU64,
    ousted: Notify,
}

impl Connection {
    pub(crate) fn new(
        house: Arc<House>,
        peer: Arc<Peer>,
        address: SocketAddr,
        id: u64,
        kind: Kind,
        is_proxy: bool,
    ) -> Self {
        Self {
            house,
            peer,
            address,
            address_value: OnceLock::new(),
            id,
            kind,
            is_proxy,
            clocks: Clocks::new(),
            places: AtomicUsize::new(0),
            pause: AtomicU64::new(0),
            ousted: Notify::new(),
        }
    }

    /// The address and port that a request with these fields came from, as the value of a field:
    /// the peer's, made once, or the address that a proxy says which is believed.
    pub fn client_value(&self, headers: &HeaderMap) -> HeaderValue {
        match self.spoken_for(headers) {
            Some(client) => field(SocketAddr::new(client, 0)),
            None => self.address_value.get_or_init(|| field(self.address)).clone(),
        }
    }

    /// The address that a request with these fields came from.
    pub fn client(&self, headers: &HeaderMap) -> IpAddr {
        self.spoken_for(headers).unwrap_or_else(|| self.address.ip()).to_canonical()
    }

    fn spoken_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let client = Some(headers).filter(|_| self.is_proxy);
        client.and_then(|headers| self.house.proxies.client(headers))
    }

    /// The limits it is under.
    pub fn limits(&self) -> &Limits {
        &self.house.limits
    }

    /// Whether it was let in only for questions after the host's health, because there was no room.
    pub fn is_spare(&self) -> bool {
        self.kind == Kind::Spare
    }

    /// Whether the server is being stopped.
    pub fn is_draining(&self) -> bool {
        self.house.is_draining()
    }

    /// Completes when the server has come to this phase of its end.
    pub fn reached(&self, phase: Phase) -> impl Future<Output = ()> + Send + use<> {
        self.house.reached(phase)
    }

    pub(crate) fn house(&self) -> &Arc<House> {
        &self.house
    }

    /// Whether it is one of a proxy that is believed about whom it speaks for.
    pub(crate) fn is_proxy(&self) -> bool {
        self.is_proxy
    }

    /// Whose a request is that came with these fields.
    pub(crate) fn peer_of(&self, headers: &HeaderMap) -> Arc<Peer> {
        if !self.is_proxy {
            return self.peer.clone();
        }
        let client: Option<IpAddr> = self.house.proxies.client(headers);
        client.map_or_else(|| self.peer.clone(), |c| self.house.peers.get(Network::of(c)))
    }

    /// How well it could be done without; `None` where there is work for it.
    pub(crate) fn idleness(&self) -> Option<Idleness> {
        self.clocks.idleness()
    }

    /// Nothing more is read for so long: its peer has had what it may for nothing.
    pub(crate) fn slow_down(&self, wait: Duration) {
        if !wait.is_zero() {
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
            self.pause.fetch_max(millis, Relaxed);
        }
    }

    /// For how long nothing is to be read from now on, which is said once.
    pub(crate) fn take_pause(&self) -> Option<Duration> {
        let millis = match self.pause.load(Relaxed) {
            0 => 0,
            _ => self.pause.swap(0, Relaxed),
        };
        (millis > 0).then_some(Duration::from_millis(millis))
    }

    /// It has to go.
    pub(crate) fn oust(&self) {
        self.ousted.notify_one();
    }
}

/// Serves HTTP on a connection.
pub(crate) type Speech = auto::Builder<TokioExecutor>;

/// The protocol's settings, shared by all connections.
pub(crate) fn speech(limits: &Limits) -> Speech {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(limits.head_buffer_bytes());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping.interval)
        .keep_alive_timeout(limits.ping.time_max)
        .initial_stream_window_size(STREAM_RECEIVE_BYTES_MAX)
        .initial_connection_window_size(CONNECTION_RECEIVE_BYTES_MAX)
        .max_concurrent_streams(limits.streams_max)
        .max_pending_accept_reset_streams(limits.resets_max)
        .max_header_list_size(limits.head_list_bytes())
        .max_send_buf_size(STREAM_SEND_BYTES_MAX);
    builder
}

/// Serves one connection until it is over.
pub(crate) async fn serve<S: Service>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    entered: Entered,
    (speech, service): (Arc<Speech>, Arc<S>),
    mut phase: watch::Receiver<Phase>,
) {
    let connection = &entered.0;
    if let Some(wait) = connection.take_pause() {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = connection.ousted.notified() => return,
            _ = phase.wait_for(|phase| *phase >= Phase::Closing) => return,
        }
    }
    let Some(tls) = tls else {
        return converse(stream, connection, &speech, service, phase).await;
    };
    let greeting = tokio::time::timeout(connection.limits().head_time_max, tls.accept(stream));
    let greeted = tokio::select! {
        greeted = greeting => greeted,
        () = connection.ousted.notified() => return,
        _ = phase.wait_for(|phase| *phase >= Phase::Closing) => return,
    };
    match greeted {
        Ok(Ok(stream)) => converse(stream, connection, &speech, service, phase).await,
        // A client that leaves or talks nonsense is everyday, and not our failure.
        Ok(Err(error)) => tracing::debug!(%error, "a TLS connection was not made"),
        Err(_) => tracing::debug!("a TLS connection was not made in time"),
    }
}

async fn converse<I, S: Service>(
    stream: I,
    connection: &Arc<Connection>,
    speech: &Speech,
    service: Arc<S>,
    mut phase: watch::Receiver<Phase>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let wire = TokioIo::new(Wire::new(stream, connection.clone()));
    let answer = service_fn({
        let connection = connection.clone();
        move |request| {
            let (service, connection) = (service.clone(), connection.clone());
            async move { Ok::<_, Infallible>(service.answer(&connection, request).await) }
        }
    });
    let mut conversation = pin!(speech.serve_connection(wire, answer));
    let limits = connection.limits();
    let mut look = tokio::time::interval(limits.watch_interval());
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ousted = pin!(connection.ousted.notified());
    let mut asked = false;
    loop {
        tokio::select! {
            biased;
            ended = conversation.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "a connection ended early");
                }
                return;
            }
            () = ousted.as_mut() => {
                tracing::debug!("an idle connection was closed for another of its address");
                return;
            }
            changed = phase.changed() => match changed.map(|()| *phase.borrow_and_update()) {
                Ok(Phase::Serving | Phase::Draining) => {}
                Ok(Phase::Closing) => conversation.as_mut().graceful_shutdown(),
                Ok(Phase::Cut) | Err(_) => return,
            },
            _ = look.tick() => match connection.clocks.look(limits) {
                Finding::Fine => {}
                Finding::Idle if !asked => {
                    asked = true;
                    conversation.as_mut().graceful_shutdown();
                }
                Finding::Idle | Finding::Stuck => return,
            },
        }
    }
}

fn field(address: SocketAddr) -> HeaderValue {
    let value = HeaderValue::from_maybe_shared(Bytes::from(address.to_string()));
    value.unwrap_or(HeaderValue::from_static("unknown"))
}
