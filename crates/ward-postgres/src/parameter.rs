//! The parameters that libpq knows, and what becomes of each here. `docs/postgresql.md` shows the
//! same list to people; a test holds the two together.

/// What becomes of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// Followed.
    Served,
    /// Followed in that nothing else is done here anyway: only these values can be kept to.
    Only(&'static [&'static str]),
    /// Refused by its name.
    Refused,
}

use Support::{Only, Refused, Served};

/// libpq 18's parameters, sorted.
const PARAMETERS: &[(&str, Support)] = &[
    ("application_name", Served),
    ("channel_binding", Served),
    // Every text between us and the server is UTF-8.
    ("client_encoding", Only(&["UTF8", "utf8", "UTF-8", "utf-8", "auto"])),
    ("connect_timeout", Served),
    ("dbname", Served),
    ("fallback_application_name", Served),
    ("gssdelegation", Only(&["0"])),
    ("gssencmode", Only(&["disable", "prefer"])),
    ("gsslib", Refused),
    ("host", Served),
    ("hostaddr", Served),
    ("keepalives", Served),
    ("keepalives_count", Served),
    ("keepalives_idle", Served),
    ("keepalives_interval", Served),
    ("krbsrvname", Refused),
    ("load_balance_hosts", Served),
    ("max_protocol_version", Only(&["3.0", "latest"])),
    ("min_protocol_version", Only(&["3.0"])),
    ("oauth_client_id", Refused),
    ("oauth_client_secret", Refused),
    ("oauth_issuer", Refused),
    ("oauth_scope", Refused),
    ("options", Served),
    ("passfile", Refused),
    ("password", Served),
    ("port", Served),
    ("replication", Only(&["false", "off", "no", "0"])),
    ("require_auth", Refused),
    ("requirepeer", Refused),
    ("scram_client_key", Refused),
    ("scram_server_key", Refused),
    ("service", Refused),
    ("servicefile", Refused),
    ("sslcert", Refused),
    ("sslcertmode", Only(&["disable", "allow"])),
    ("sslcompression", Only(&["0"])),
    ("sslcrl", Refused),
    ("sslcrldir", Refused),
    ("sslkey", Refused),
    ("sslkeylogfile", Refused),
    ("ssl_max_protocol_version", Only(&["TLSv1.3"])),
    // Nothing older than 1.2 is spoken here.
    ("ssl_min_protocol_version", Only(&["TLSv1", "TLSv1.1", "TLSv1.2"])),
    ("sslmode", Served),
    ("sslnegotiation", Served),
    ("sslpassword", Refused),
    ("sslrootcert", Served),
    ("sslsni", Only(&["1"])),
    ("target_session_attrs", Served),
    ("tcp_user_timeout", Served),
    ("user", Served),
];

/// The parameter of this name, by the name as it stands here.
pub(crate) fn find(name: &str) -> Option<(&'static str, Support)> {
    PARAMETERS.iter().find(|(known, _)| *known == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The manual lists every parameter once, in the paragraph that says what becomes of it.
    #[test]
    fn the_manual_lists_them_all() {
        let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/postgresql.md");
        let manual = std::fs::read_to_string(manual).unwrap();
        let refused = manual.split("## Refused").nth(1).unwrap();
        for (name, support) in PARAMETERS {
            let cell = format!("`{name}`");
            assert!(manual.contains(&cell), "{name} is not in docs/postgresql.md");
            assert_eq!(refused.contains(&cell), *support == Refused, "{name}");
        }
    }
}
