//! TLS as a policy asks for it. A configuration is made once for each policy and shared by all its
//! connections; a root in a file is read for each connection, so that a new one holds from the
//! next connection on, and makes a new configuration only where its content is new.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres::Socket;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::RootError;
use crate::limits::{ROOT_BYTES_MAX, TLS_CONFIGURATIONS_MAX};
use crate::policy::{Policy, Protection, Root};

/// The protocol's name in the handshake; 17 and newer look at it.
const ALPN: &[u8] = b"postgresql";

/// Stands for the host where there is no handshake that it would be for.
const NOBODY: &str = "plain.invalid";

/// What a configuration is made from: the roots in PEM, `None` for the public ones, and whether the
/// host's name has to be in the certificate.
type Key = (Option<Arc<str>>, bool);

static CONFIGURATIONS: LazyLock<Mutex<HashMap<Key, MakeRustlsConnect>>> =
    LazyLock::new(Mutex::default);

/// Puts TLS around a connection, or leaves it plain. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    tls: MakeRustlsConnect,
    plain: bool,
}

impl Connector {
    /// For connections with this protection.
    pub(crate) fn new(policy: &Policy, protection: Protection) -> Result<Self, RootError> {
        let plain = protection == Protection::Plain;
        let pem = match &policy.root {
            // The root of a plain connection vouches for nobody.
            _ if plain => None,
            Root::Public => None,
            Root::Given(pem) => Some(pem.clone()),
            Root::File(path) => Some(read(path)?.into()),
        };
        let tls = configuration((pem, protection != Protection::Issuer))?;
        Ok(Self { tls, plain })
    }
}

type Rustls = MakeRustlsConnect;

impl MakeTlsConnect<Socket> for Connector {
    type Stream = <Rustls as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = <Rustls as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, Self::Error> {
        // A plain connection's host may be none that TLS could name, such as a socket's.
        let host = if self.plain { NOBODY } else { host };
        MakeTlsConnect::<Socket>::make_tls_connect(&mut self.tls, host)
    }
}

fn read(path: &Path) -> Result<String, RootError> {
    let bad = |why: String| RootError::File { path: path.to_owned(), why };
    let file = File::open(path).map_err(|error| bad(error.to_string()))?;
    // A device or a pipe would never end.
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    if !is_file {
        return Err(bad("it is no file".to_owned()));
    }
    let mut text = String::new();
    let read = file.take(ROOT_BYTES_MAX + 1).read_to_string(&mut text);
    match read.map_err(|error| bad(error.to_string()))? as u64 > ROOT_BYTES_MAX {
        true => Err(bad("it is too large".to_owned())),
        false => Ok(text),
    }
}

fn configuration(key: Key) -> Result<MakeRustlsConnect, RootError> {
    let mut known = CONFIGURATIONS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(&key) {
        return Ok(found.clone());
    }
    let made = MakeRustlsConnect::new(make(key.0.as_deref(), key.1)?);
    if known.len() >= TLS_CONFIGURATIONS_MAX {
        known.clear();
    }
    known.insert(key, made.clone());
    Ok(made)
}

fn make(pem: Option<&str>, for_host: bool) -> Result<ClientConfig, RootError> {
    let roots = Arc::new(roots(pem)?);
    // The provider is named here: a process-wide default might be set by nobody, or twice.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|_| RootError::Library)?;
    let mut config = match for_host {
        true => builder.with_root_certificates(roots).with_no_client_auth(),
        false => {
            let verifier = IssuerOnly::new(roots, provider)?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// The public roots, or the given ones and no other.
fn roots(pem: Option<&str>) -> Result<RootCertStore, RootError> {
    let mut roots = RootCertStore::empty();
    let Some(pem) = pem else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| RootError::Pem)?;
        roots.add(certificate).map_err(|_| RootError::Pem)?;
    }
    match roots.is_empty() {
        true => Err(RootError::Empty),
        false => Ok(roots),
    }
}

/// `verify-ca`: a certificate is good that a root has signed, whatever name it is for. All else is
/// left to the usual verifier.
#[derive(Debug)]
struct IssuerOnly(Arc<WebPkiServerVerifier>);

impl IssuerOnly {
    fn new(roots: Arc<RootCertStore>, provider: Arc<CryptoProvider>) -> Result<Self, RootError> {
        let usual = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        usual.map(Self).map_err(|_| RootError::Pem)
    }
}

impl ServerCertVerifier for IssuerOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The usual verifier looks at the name last, so that this is all that was wrong.
        match self.0.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pem: &str) -> Result<Connector, RootError> {
        let root = Root::Given(pem.into());
        Connector::new(&Policy { root, ..Policy::default() }, Protection::Full)
    }

    #[test]
    fn a_root_that_is_no_certificate_is_refused() {
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (pem, expected) in
            [("", RootError::Empty), ("nonsense", RootError::Empty), (bad, RootError::Pem)]
        {
            assert_eq!(given(pem).err(), Some(expected), "{pem}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        for path in ["/dev/zero", "/nowhere", "/"] {
            let root = Root::File(path.into());
            let made =
                Connector::new(&Policy { root, ..Policy::default() }, Protection::Full).err();
            assert!(matches!(made, Some(RootError::File { .. })), "{path}: {made:?}");
        }
    }

    #[test]
    fn a_policy_has_one_configuration() {
        let made = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap();
        let pem = made.cert.pem();
        given(&pem).unwrap();
        let count = || CONFIGURATIONS.lock().unwrap().keys().filter(|key| key.0.is_some()).count();
        let before = count();
        for _ in 0..3 {
            given(&pem).unwrap();
        }
        assert_eq!(count(), before);
    }
}
