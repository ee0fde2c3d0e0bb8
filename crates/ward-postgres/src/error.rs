//! Why an address cannot be used, and why a connection could not be made: one sentence for whoever
//! asked, with the place where it is known, and a second one on what to do. Of an address that
//! cannot be read nothing is repeated but the names of parameters, and of those only the ones that
//! cannot be a piece of a password.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio_postgres::error::SqlState;

/// An address that says nothing that can be done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Neither of the two forms.
    #[error("the address is neither a postgres:// URL nor a list of key=value pairs")]
    Form,
    /// More than an address has.
    #[error("the address is too long")]
    TooLong,
    /// A URL whose user and password cannot be told from the rest.
    #[error(
        "the address has an `@` in the wrong place; in a user or password, `@` is written %40 \
         and `/` %2F"
    )]
    Credentials,
    /// A `%` without two hexadecimal digits, bytes that are no UTF-8, or a zero byte.
    #[error("the address has a `%` that does not begin the code of a character")]
    Escape,
    /// A quote that does not end, or ends in the middle of a value.
    #[error("a quoted value of the address does not end; inside, a quote is written \\'")]
    Quote,
    /// A parameter that libpq does not know either. No name where it may be a piece of a password.
    #[error("the address has {}", unknown(.0))]
    Unknown(Option<String>),
    /// A parameter of libpq's that Ward does not follow.
    #[error("the address has `{0}`, which ward does not support")]
    Unsupported(&'static str),
    /// A parameter with a value that it cannot have.
    #[error("`{name}` of the address must be {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What it can be.
        expected: &'static str,
    },
    /// Nowhere to go. libpq would take its default socket, which depends on how it was built.
    #[error("the address names no host")]
    NoHost,
    /// `host`, `hostaddr` and `port` do not go together.
    #[error("`{0}` of the address must have one value for each host")]
    Count(&'static str),
    /// More hosts than [`crate::limits::ENDPOINTS_MAX`].
    #[error("the address names too many hosts")]
    TooManyHosts,
    /// `verify-ca` believes whom the root has signed; everybody can have that of the public ones.
    #[error("`sslmode=verify-ca` needs `sslrootcert` with a root of your own, or verify-full")]
    WeakRoot,
    /// Direct TLS where there would be none.
    #[error("`sslnegotiation=direct` needs `sslmode=require`, verify-ca or verify-full")]
    DirectWithoutTls,
}

fn unknown(name: &Option<String>) -> String {
    match name {
        Some(name) => format!("an unknown parameter `{name}`"),
        None => "an unknown parameter; a password with spaces or `&` has to be quoted or \
                 percent-encoded"
            .to_owned(),
    }
}

/// A connection that was not made. `place` is `host:port/database`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DialError {
    /// Nobody knows the name.
    #[error("the host {host} cannot be resolved")]
    Unresolved {
        /// The name.
        host: String,
    },
    /// The caller does not want to go there.
    #[error("the address {0} is in a blocked network")]
    Blocked(IpAddr),
    /// Not ready in time.
    #[error("{place} did not complete the connection in {waited:?}")]
    Late {
        /// Where.
        place: String,
        /// How long it was given.
        waited: Duration,
    },
    /// Nobody listens, or the network failed.
    #[error("cannot connect to {place}: {why}")]
    Unreachable {
        /// Where.
        place: String,
        /// The system's words.
        why: String,
    },
    /// The server speaks no TLS, and plain text was not allowed.
    #[error("{place} does not offer TLS")]
    NoTls {
        /// Where.
        place: String,
    },
    /// The certificate is not to be trusted, or there was no handshake.
    #[error("{place} could not be trusted: {why}")]
    Untrusted {
        /// Where.
        place: String,
        /// What TLS says.
        why: String,
    },
    /// The file of `sslrootcert`, or a root that was handed over, is of no use.
    #[error("{0}")]
    Root(RootError),
    /// The server answered, and would not have us.
    #[error("{place} refused the connection: {words}")]
    Refused {
        /// Where.
        place: String,
        /// The server's own words, with the code.
        words: String,
        /// The code.
        code: SqlState,
    },
    /// Connected, and not what `target_session_attrs` asks for.
    #[error("{place} is not {wanted}")]
    Unfit {
        /// Where.
        place: String,
        /// What was asked for.
        wanted: &'static str,
    },
}

/// Why root certificates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RootError {
    /// The file is not there, not to be read, or too large.
    #[error("sslrootcert {} cannot be read: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// No certificate in it.
    #[error("the root certificate holds no PEM certificate")]
    Empty,
    /// What is there cannot be read or used.
    #[error("the root certificate is not PEM, or cannot be used as one")]
    Pem,
    /// The TLS library refuses.
    #[error("TLS cannot be set up")]
    Library,
}

impl From<RootError> for DialError {
    fn from(error: RootError) -> Self {
        Self::Root(error)
    }
}

impl DialError {
    /// What can be done about it, if there is something.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::NoTls { .. } => {
                Some("turn TLS on there, or allow plain text with sslmode=disable")
            }
            Self::Untrusted { why, .. } if why.contains("CaUsedAsEndEntity") => Some(
                "give the server a certificate of its own: this one is an authority's (CA:TRUE)",
            ),
            // As rustls writes it with and without the names that would do.
            Self::Untrusted { why, .. }
                if why.contains("not valid for name") || why.contains("NotValidForName") =>
            {
                Some("name the host as its certificate does; verify-ca looks at the issuer alone")
            }
            Self::Untrusted { why, .. } if why.contains("does not support TLS") => {
                Some("turn TLS on there, or allow plain text with sslmode=disable")
            }
            Self::Untrusted { .. } => Some("name the file of its root certificate in sslrootcert"),
            _ => None,
        }
    }

    /// Whether another endpoint would not help: the server has answered, and its answer is the same
    /// wherever the cluster is entered. One that is starting or stopping has not.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code != SqlState::CANNOT_CONNECT_NOW,
            Self::Blocked(_) | Self::Root(_) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DialError;

    #[test]
    fn what_is_wrong_with_a_certificate_has_its_own_advice() {
        let check = |why: &str, part: &str| {
            let error = DialError::Untrusted { place: "db:5432".to_owned(), why: why.to_owned() };
            assert!(error.help().unwrap().contains(part), "{why}");
        };
        check("invalid peer certificate: UnknownIssuer", "sslrootcert");
        check("invalid peer certificate: certificate not valid for name \"db\"", "name the host");
        check("invalid peer certificate: NotValidForName", "name the host");
        check("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))", "CA:TRUE");
    }
}
