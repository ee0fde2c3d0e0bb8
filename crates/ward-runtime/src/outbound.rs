//! Outbound HTTP of components. A request leaves only when the component's manifest entry lists
//! its destination, and never to a network that the runtime configuration blocks, whatever name
//! led there. Connections are pooled across components; grants are not.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::uri::Scheme;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use ward_manifest::{AllowedHosts, RuntimeConfig};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::networks::{ConnectionPermit, Networks};

/// Waiting for a connection and the first byte, where the guest sets no bound: wasi-http's own
/// default of ten minutes would outlive every request deadline.
const RESPONSE_WAIT_DEFAULT: Duration = Duration::from_secs(60);

/// Waiting between two frames of a response body, where the guest sets no bound.
const FRAME_WAIT_DEFAULT: Duration = Duration::from_secs(60);

/// The client all components share.
#[derive(Clone)]
pub(crate) struct OutboundClient {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, WasiBody>,
    networks: Arc<Networks>,
    slots: Option<Arc<Semaphore>>,
}

impl OutboundClient {
    /// A client with the web's roots of trust, and what the operator decided for all components.
    pub(crate) fn new(
        config: &RuntimeConfig,
        networks: Arc<Networks>,
    ) -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new_with_resolver(Resolver { networks: networks.clone() });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(if config.outbound_http.connection_pooling {
                usize::MAX
            } else {
                0
            })
            .build(tls);
        let slots = config.outbound_http.connections_max.map(|n| Arc::new(Semaphore::new(n)));
        Ok(Self { client, networks, slots })
    }

    async fn send(
        &self,
        mut request: http::Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<http::Response<WasiBody>, Error> {
        if literal_ip(request.uri()).is_some_and(|ip| self.networks.blocks(ip)) {
            return Err(Error::DestinationIpProhibited);
        }
        // The client speaks the version the connection has, not the one the guest's request had.
        *request.version_mut() = http::Version::HTTP_11;
        let slot = match &self.slots {
            Some(slots) => {
                let slot = slots.clone().acquire_owned().await;
                Some(slot.map_err(|_| Error::ConnectionLimitReached)?)
            }
            None => None,
        };
        let sent = async {
            let connection = self.networks.connection().await;
            self.client.request(request).await.map(|response| (response, connection))
        };
        let (response, connection) = match timeout(response_wait(options), sent).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(error)) => return Err(cause(&error)),
            Err(_) => return Err(Error::ConnectionReadTimeout),
        };
        let wait = options.between_bytes_timeout.unwrap_or(FRAME_WAIT_DEFAULT);
        Ok(response.map(|body| {
            TimedBody { body, wait, timer: None, _slot: slot, _connection: connection }
                .boxed_unsync()
        }))
    }
}

/// The guest's bounds on connecting and on the first byte, as one: the pool may make the
/// connection before or after the request asks for it.
fn response_wait(options: RequestOptions) -> Duration {
    match (options.connect_timeout, options.first_byte_timeout) {
        (None, None) => RESPONSE_WAIT_DEFAULT,
        (connect, first_byte) => {
            connect.unwrap_or_default().saturating_add(first_byte.unwrap_or(RESPONSE_WAIT_DEFAULT))
        }
    }
}

fn literal_ip(uri: &http::Uri) -> Option<IpAddr> {
    uri.host()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// What the guest reads as the reason; it names no address.
fn cause(error: &ClientError) -> Error {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<Prohibited>() {
            return Error::DestinationIpProhibited;
        }
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return Error::ConnectionRefused;
        }
        source = inner.source();
    }
    if error.is_connect() { Error::DestinationUnavailable } else { Error::HttpProtocolError }
}

/// A component's own view: the shared client behind the component's grants.
#[derive(Clone)]
pub(crate) struct Outbound {
    component: Arc<str>,
    hosts: Arc<AllowedHosts>,
    client: OutboundClient,
}

impl Outbound {
    /// The outbound side of one component.
    pub(crate) fn new(
        component: Arc<str>,
        hosts: Arc<AllowedHosts>,
        client: OutboundClient,
    ) -> Self {
        Self { component, hosts, client }
    }

    /// Whether the manifest lists the destination; a refusal is said in the log, by host and port
    /// alone, since a path may name a person.
    fn allows(&self, uri: &http::Uri) -> bool {
        let scheme = uri.scheme_str().unwrap_or("https");
        let default_port = if scheme == "http" { 80 } else { 443 };
        let (Some(host), port) = (uri.host(), uri.port_u16().unwrap_or(default_port)) else {
            return false;
        };
        let allowed = self.hosts.allows(scheme, host, port);
        if !allowed {
            tracing::warn!(
                component = &*self.component,
                destination = %format_args!("{scheme}://{host}:{port}"),
                "refused an outbound request: not in allowed_outbound_hosts",
            );
        }
        allowed
    }
}

/// What `wasi:http` hands over, and expects back.
type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Outbound {
    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        // Resolves when the guest's body has been read, which the client already waits for.
        _body_read: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let allowed = self.allows(request.uri());
        let client = self.client.clone();
        Box::new(async move {
            if !allowed {
                return Err(Error::HttpRequestDenied);
            }
            let response = client.send(request, options.unwrap_or_default()).await?;
            let done: Box<dyn Future<Output = Result<(), Error>> + Send> =
                Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}

/// A response body that gives up on a peer that has gone silent, and holds its request's slot.
struct TimedBody {
    body: hyper::body::Incoming,
    wait: Duration,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
    _slot: Option<tokio::sync::OwnedSemaphorePermit>,
    _connection: ConnectionPermit,
}

impl http_body::Body for TimedBody {
    type Data = bytes::Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let wait = self.wait;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(Error::ConnectionReadTimeout))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Resolves names and leaves out every address that is blocked. Looking at the addresses that
/// will be connected to, and not at the name, is what makes a changed DNS answer harmless.
#[derive(Clone)]
struct Resolver {
    networks: Arc<Networks>,
}

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Self::Response, std::io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let networks = self.networks.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                found.iter().filter(|a| !networks.blocks(a.ip())).copied().collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(std::io::Error::other(Prohibited));
            }
            Ok(allowed.into_iter())
        })
    }
}

/// A name led to blocked addresses only.
#[derive(Debug, thiserror::Error)]
#[error("every address of the name is in a blocked network")]
struct Prohibited;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_addresses_are_seen_in_either_notation() {
        let ip = |uri: &str| literal_ip(&uri.parse().unwrap());
        assert_eq!(ip("http://[::1]:80/x"), Some("::1".parse().unwrap()));
        assert_eq!(ip("http://127.0.0.1/"), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(ip("http://localhost/"), None);
    }
}
