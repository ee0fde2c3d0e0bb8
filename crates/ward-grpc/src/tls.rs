//! The certificate to serve with, from two PEM files. TLS 1.2 and 1.3, HTTP/2 only, no client
//! certificates. The files are read once, at start.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ward_manifest::TlsFiles;

/// Reads a certificate and its key. The error names files, and no part of what is in them.
pub(crate) fn load(files: &TlsFiles) -> Result<Arc<ServerConfig>, String> {
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|_| unreadable(&files.cert, "certificates"))?;
    if chain.is_empty() {
        return Err(unreadable(&files.cert, "certificates"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|_| unreadable(&files.key, "a private key"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| format!("{}: {error}", files.cert.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn unreadable(file: &Path, what: &str) -> String {
    format!("{}: cannot be read, or does not hold {what} in PEM form", file.display())
}
