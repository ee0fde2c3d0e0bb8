//! TLS on every listener, with a certificate that is read again when it changes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use ward_http::{Limits, Options};
use ward_serve::Certificate;

use crate::raw::exchange;
use crate::site::{PATIENCE, Site};

/// Writes a certificate for 127.0.0.1 and its key; returns the certificate.
fn write(directory: &Path) -> CertificateDer<'static> {
    let names = vec!["127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    std::fs::write(directory.join("key.pem"), signing_key.serialize_pem()).unwrap();
    std::fs::write(directory.join("cert.pem"), cert.pem()).unwrap();
    cert.der().clone()
}

async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocol: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let name = IpAddr::V4(Ipv4Addr::LOCALHOST).into();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    let request = b"GET /one/x HTTP/1.1\r\nhost: ward.test\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn every_listener_has_it_and_a_new_certificate_needs_no_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let old = write(directory.path());
    let tls = Some(Certificate::load(&cert, &key).unwrap());
    let site = Site::start(Options { tls, ..Options::default() }).await;
    for address in [site.gateway, site.service] {
        let text = get(&mut connect(address, &old, "http/1.1").await.unwrap()).await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(text.contains("spin-full-url: https://ward.test/one/x"), "{text}");
        let only = "strict-transport-security: max-age=31536000; includeSubDomains";
        assert!(text.contains(only), "{text}");
        let clear = exchange(address, "GET /one/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(!clear.starts_with("HTTP/1.1"), "{clear}");
    }
    let stream = connect(site.gateway, &old, "h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));

    let mut open = connect(site.gateway, &old, "http/1.1").await.unwrap();
    // Until the key belongs to the certificate the old ones serve.
    std::fs::write(&key, "no key").unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(connect(site.gateway, &old, "http/1.1").await.is_ok());
    let new = write(directory.path());
    let renewed = async {
        while connect(site.gateway, &new, "http/1.1").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, renewed).await.expect("it is read again");
    assert!(get(&mut open).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_does_not_greet_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    write(directory.path());
    let tls = Some(Certificate::load(&cert, &key).unwrap());
    let head_time_max = std::time::Duration::from_millis(200);
    let limits = Limits { head_time_max, ..Limits::default() };
    let site = Site::start(Options { tls, limits, ..Options::default() }).await;
    assert_eq!(exchange(site.gateway, "").await, "");
}
