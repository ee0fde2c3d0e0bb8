//! TLS, by option: a certificate from two files, HTTP/2 agreed on in the greeting.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use ward_grpc::{Limits, Options};
use ward_manifest::{App, RuntimeConfig, Variables};

use crate::site::{Client, MANIFEST, PATIENCE, Site, defaults};

/// The options a manifest leads to, with its files in `directory`.
fn options(directory: &Path, manifest: &str) -> Result<Options, String> {
    let app = App::read(&directory.join("spin.toml"), manifest).expect("a valid manifest");
    let none = BTreeMap::new();
    let variables =
        Variables::new(&app, none.clone(), &RuntimeConfig::default(), &none).expect("all given");
    Options::new(&app.grpc, &variables).map_err(|error| error.to_string())
}

fn with(setting: &str) -> String {
    let public = MANIFEST.replace(
        "interface = \"test:clinic/desk@1.0.0\"",
        "public = true\n    interface = \"test:clinic/desk@1.0.0\"",
    );
    // Who needs no token needs no scope.
    let lines = public
        .lines()
        .filter(|line| !line.trim_start().starts_with("scopes = "))
        .map(|line| if line.trim_start().starts_with("token = ") { setting } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["ward.test".to_owned()]).unwrap();
    std::fs::write(directory.path().join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(directory.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
    let manifest = with("tls = { cert = 'cert.pem', key = 'key.pem' }");
    let options = options(directory.path(), &manifest).unwrap();
    let site = Site::start(options.clone()).await;

    let trusted = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(cert.pem()))
        .domain_name("ward.test");
    let endpoint = Channel::from_shared(format!("https://{}", site.address)).unwrap();
    let channel = endpoint.clone().tls_config(trusted).unwrap().connect().await.unwrap();
    assert_eq!(Client::new(channel).ask("long", 3).await.unwrap().text, "yyy");

    let stranger = ClientTlsConfig::new().domain_name("ward.test");
    assert!(endpoint.tls_config(stranger).unwrap().connect().await.is_err());
    let clear = Channel::from_shared(format!("http://{}", site.address)).unwrap();
    let answer = match clear.connect().await {
        Ok(channel) => Client::new(channel).ask("long", 3).await.map_err(|_| ()),
        Err(_) => Err(()),
    };
    assert!(answer.is_err(), "{answer:?}");

    let head_time_max = Duration::from_millis(100);
    let server = ward_serve::Limits { head_time_max, ..defaults() };
    let limits = Limits { server, ..options.limits };
    let site = Site::start(Options { limits, ..options }).await;
    let mut silent = TcpStream::connect(site.address).await.unwrap();
    let mut byte = [0];
    let read = tokio::time::timeout(PATIENCE, silent.read(&mut byte)).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "closed after a while: {read:?}");
}

#[test]
fn files_and_keys_that_are_none_are_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("cert.pem"), "no certificate").unwrap();
    let check = |setting: &str, expected: &str| {
        let error = options(directory.path(), &with(setting)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check("tls = { cert = 'gone.pem', key = 'key.pem' }", "gone.pem");
    check("tls = { cert = 'cert.pem', key = 'key.pem' }", "cert.pem");
    check(
        "token = { public_key = 'hunter2', issuer = 'a', audience = 'b' }",
        "[application.trigger.grpc] token.public_key: not an Ed25519 key in PEM",
    );
}
