//! How the server behaves: the manifest's settings, with their variables filled in and their files
//! read. What is wrong with them shows here, before anything listens.

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use token::Trust;
use ward_manifest::{GrpcSettings, TlsFiles, TokenSettings, VariableError, Variables};
use ward_serve::{Certificate, Proxies};

use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::revoked::Revoked;

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where calls come in; port 0 picks a free one.
    pub address: SocketAddr,
    /// What clients and answers may cost.
    pub limits: Limits,
    /// Whom methods that are not public believe; without it, nobody.
    pub trust: Option<Arc<Trust>>,
    /// Whose tokens are believed no longer; without it, nobody's.
    pub revoked: Option<Revoked>,
    /// The certificate to serve with; clear text where there is none.
    pub tls: Option<Arc<Certificate>>,
    /// The proxies that are believed about whom they speak for.
    pub proxies: Proxies,
    /// Whether clients may ask for the services' descriptors.
    pub reflection: bool,
    /// Where calls are counted.
    pub metrics: Metrics,
}

/// A setting of `[application.trigger.grpc]` that is of no use. Never a part of a value.
#[derive(Debug, Error)]
#[error("[application.trigger.grpc] {setting}: {problem}")]
pub struct OptionsError {
    /// Which one.
    pub setting: &'static str,
    /// What is wrong.
    pub problem: String,
}

impl Options {
    /// The manifest's settings, with `variables` in their templates.
    ///
    /// # Errors
    /// The first setting that is of no use.
    pub fn new(settings: &GrpcSettings, variables: &Variables) -> Result<Self, OptionsError> {
        let message_bytes_max = usize::try_from(settings.message_bytes_max).unwrap_or(usize::MAX);
        Ok(Self {
            address: settings.listen,
            limits: Limits { message_bytes_max, ..Limits::default() },
            trust: settings.token.as_ref().map(|token| trust(token, variables)).transpose()?,
            revoked: None,
            tls: settings.tls.as_ref().map(certificate).transpose()?,
            proxies: Proxies::default(),
            reflection: settings.reflection,
            metrics: Metrics::default(),
        })
    }
}

fn trust(settings: &TokenSettings, variables: &Variables) -> Result<Arc<Trust>, OptionsError> {
    let expand = |setting, template: &str| {
        let unusable = |error: VariableError| OptionsError { setting, problem: error.to_string() };
        variables.expand(template).map_err(unusable)
    };
    let settings = token::Settings {
        public_key: expand("token.public_key", &settings.public_key)?,
        issuer: expand("token.issuer", &settings.issuer)?,
        audience: expand("token.audience", &settings.audience)?,
    };
    let unusable = |error: token::KeyError| OptionsError {
        setting: "token.public_key",
        problem: error.to_string(),
    };
    Ok(Arc::new(Trust::new(settings).map_err(unusable)?))
}

fn certificate(files: &TlsFiles) -> Result<Arc<Certificate>, OptionsError> {
    let unusable = |error: ward_serve::CertificateError| OptionsError {
        setting: "tls",
        problem: error.to_string(),
    };
    Certificate::load(&files.cert, &files.key).map_err(unusable)
}
