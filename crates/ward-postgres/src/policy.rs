//! What protects a connection: the six values of `sslmode`, and what each of them comes to at one
//! endpoint. **Plain text leaves this machine only where the address says `disable`.** libpq's
//! `allow` and `prefer` settle for it wherever the server, or whoever stands in between, says that
//! it has no TLS; here they settle for it only where there is nothing in between: at a socket and
//! on loopback, where certificates are the distribution's self-made ones.
//!
//! A certificate is always verified, by `require` too, which libpq lets pass whatever it is shown.

use std::path::PathBuf;
use std::sync::Arc;

use crate::address::Endpoint;
use crate::error::AddressError;

/// `sslmode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum SslMode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    /// By libpq's name of it.
    pub(crate) fn read(text: &str) -> Result<Self, AddressError> {
        Ok(match text {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => {
                return Err(AddressError::Value {
                    name: "sslmode",
                    expected: "disable, allow, prefer, require, verify-ca or verify-full",
                });
            }
        })
    }
}

/// Whose signature makes a certificate good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) enum Root {
    /// The public web's certificate authorities, compiled in.
    #[default]
    Public,
    /// Those of a file, read when a connection is made: it may be replaced.
    File(PathBuf),
    /// Those that were handed over, in PEM.
    Given(Arc<str>),
}

/// What an address asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Policy {
    pub(crate) mode: SslMode,
    pub(crate) root: Root,
    /// `sslnegotiation=direct`: TLS without asking the server first, which 17 and newer know.
    pub(crate) direct: bool,
}

/// What a connection to one endpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Protection {
    /// Nothing.
    Plain,
    /// TLS with a certificate that a root has signed, for whatever name.
    Issuer,
    /// TLS with a certificate that a root has signed for the host.
    Full,
}

impl Policy {
    /// Refuses what contradicts itself.
    pub(crate) fn check(&self) -> Result<(), AddressError> {
        if self.mode == SslMode::VerifyCa && self.root == Root::Public {
            return Err(AddressError::WeakRoot);
        }
        let weak = matches!(self.mode, SslMode::Disable | SslMode::Allow | SslMode::Prefer);
        match self.direct && weak {
            true => Err(AddressError::DirectWithoutTls),
            false => Ok(()),
        }
    }

    /// What a connection to this endpoint needs.
    pub(crate) fn at(&self, endpoint: &Endpoint) -> Protection {
        match self.mode {
            // As in libpq: nobody listens on a socket but the kernel.
            _ if endpoint.is_socket() => Protection::Plain,
            SslMode::Disable => Protection::Plain,
            SslMode::Allow | SslMode::Prefer => {
                match endpoint.is_loopback() && self.root == Root::Public {
                    true => Protection::Plain,
                    false => Protection::Full,
                }
            }
            SslMode::Require | SslMode::VerifyFull => Protection::Full,
            SslMode::VerifyCa => Protection::Issuer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Protection::{Full, Issuer, Plain};
    use crate::Address;

    #[test]
    fn what_each_mode_comes_to_by_where_it_goes() {
        let places =
            ["host=db.example", "host=db.example hostaddr=127.0.0.1", "host=::1", "host=/r"];
        for (parameters, expected) in [
            ("", [Full, Plain, Plain, Plain]),
            ("sslmode=disable", [Plain; 4]),
            ("sslmode=allow", [Full, Plain, Plain, Plain]),
            ("sslmode=prefer", [Full, Plain, Plain, Plain]),
            ("sslmode=prefer sslrootcert=/x", [Full, Full, Full, Plain]),
            ("sslmode=require", [Full, Full, Full, Plain]),
            ("sslmode=verify-ca sslrootcert=/x", [Issuer, Issuer, Issuer, Plain]),
            ("sslmode=verify-full", [Full, Full, Full, Plain]),
            ("sslmode=verify-full sslrootcert=system", [Full, Full, Full, Plain]),
        ] {
            let found = places.map(|place| {
                let address = Address::parse(&format!("{place} {parameters}")).unwrap();
                address.policy.at(&address.endpoints()[0])
            });
            assert_eq!(found, expected, "{parameters}");
        }
    }

    #[test]
    fn what_would_protect_less_than_it_says_is_refused() {
        for parameters in [
            "sslmode=verify-ca",
            "sslmode=verify-ca sslrootcert=system",
            "sslnegotiation=direct",
            "sslnegotiation=direct sslmode=prefer",
        ] {
            assert!(Address::parse(&format!("host=h {parameters}")).is_err(), "{parameters}");
        }
        assert!(Address::parse("host=h sslnegotiation=direct sslmode=require").is_ok());
    }
}
