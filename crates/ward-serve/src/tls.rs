//! The certificate to serve with, from two PEM files. TLS 1.2 and 1.3, no client certificates. The
//! files are read again when they change: whoever renews a certificate need not restart anything,
//! and connections that are open stay so.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use crate::limits::CERTIFICATE_LOOK_INTERVAL;
use crate::server::Protocol;

/// A certificate that is of no use. It names files, and no part of what is in them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// It is not there, may not be read, or is something else.
    #[error("{0}: cannot be read, or does not hold {1} in PEM form")]
    File(PathBuf, &'static str),
    /// The two do not go together, or the certificate is none that can be served with.
    #[error("{0}: {1}")]
    Unusable(PathBuf, String),
}

/// A certificate and its key, as their files have them now.
#[derive(Debug)]
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    loaded: RwLock<Loaded>,
}

/// Ready to serve with, by what is agreed on in the greeting.
#[derive(Debug)]
struct Loaded {
    any: Arc<ServerConfig>,
    http2: Arc<ServerConfig>,
}

/// What tells that a file has changed: when it was written, and how long it is.
type Mark = [Option<(SystemTime, u64)>; 2];

impl Certificate {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn load(cert: &Path, key: &Path) -> Result<Arc<Self>, CertificateError> {
        let loaded = RwLock::new(Loaded::read(cert, key)?);
        Ok(Arc::new(Self { cert: cert.to_owned(), key: key.to_owned(), loaded }))
    }

    pub(crate) fn acceptor(&self, protocol: Protocol) -> TlsAcceptor {
        // A value that is replaced whole.
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(match protocol {
            Protocol::Any => loaded.any.clone(),
            Protocol::Http2 => loaded.http2.clone(),
        })
    }

    /// Looks at the files again and again, for as long as it is polled.
    pub(crate) async fn renew(self: Arc<Self>) {
        let (mut seen, mut refused) = (self.mark().await, None);
        loop {
            tokio::time::sleep(CERTIFICATE_LOOK_INTERVAL).await;
            let mark = self.mark().await;
            if mark == seen {
                continue;
            }
            // A change of one file may be followed by the other's: the old ones serve meanwhile.
            match Loaded::read(&self.cert, &self.key) {
                Ok(loaded) => {
                    *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
                    tracing::info!("the certificate was read again");
                    (seen, refused) = (mark, None);
                }
                Err(error) if refused != Some(mark) => {
                    tracing::warn!(%error, "the certificate has changed, and the old one stays");
                    refused = Some(mark);
                }
                Err(_) => {}
            }
        }
    }

    async fn mark(&self) -> Mark {
        let mut mark = [None; 2];
        for (mark, file) in mark.iter_mut().zip([&self.cert, &self.key]) {
            let about = tokio::fs::metadata(file).await;
            *mark = about.ok().and_then(|about| Some((about.modified().ok()?, about.len())));
        }
        mark
    }
}

impl Loaded {
    fn read(cert: &Path, key: &Path) -> Result<Self, CertificateError> {
        let none = || CertificateError::File(cert.to_owned(), "certificates");
        let chain = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|_| none())?;
        if chain.is_empty() {
            return Err(none());
        }
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|_| CertificateError::File(key.to_owned(), "a private key"))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| CertificateError::Unusable(cert.to_owned(), error.to_string()))?;
        let with = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Arc::new(config)
        };
        Ok(Self { any: with(&[b"h2", b"http/1.1"]), http2: with(&[b"h2"]) })
    }
}
