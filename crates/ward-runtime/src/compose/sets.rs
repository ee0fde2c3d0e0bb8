//! The capability sets of `inherit_configuration` and the interfaces each of them covers. An
//! interface in no set (clocks, random, stdio, HTTP types) is always shared with the primary.
//!
//! Versions are not compared: a set covers every version of its interfaces, so that a newer one
//! is not let through by being unknown. For the same reason `wasi:sockets` is covered whole in
//! its 0.3 shape, where Spin 4.1 overlooks `wasi:sockets/types`.

use ward_manifest::Inherit;

/// Set names as `inherit_configuration` writes them, each with its interfaces. An entry that ends
/// in `/` covers a whole package.
const SETS: [(&str, &[&str]); 7] = [
    ("ai_models", &["fermyon:spin/llm"]),
    (
        "allowed_outbound_hosts",
        &[
            "fermyon:spin/http",
            "fermyon:spin/mysql",
            "fermyon:spin/postgres",
            "fermyon:spin/redis",
            "fermyon:spin/mqtt",
            "spin:mqtt/",
            "spin:mysql/",
            "spin:postgres/",
            "spin:redis/",
            "wasi:http/client",
            "wasi:http/outgoing-handler",
            "wasi:sockets/ip-name-lookup",
            "wasi:sockets/tcp",
            "wasi:sockets/tcp-create-socket",
            "wasi:sockets/types",
            "wasi:sockets/udp",
            "wasi:sockets/udp-create-socket",
        ],
    ),
    ("environment", &["wasi:cli/environment"]),
    ("files", &["wasi:filesystem/preopens"]),
    ("key_value_stores", &["spin:key-value/", "fermyon:spin/key-value", "wasi:keyvalue/"]),
    ("sqlite_databases", &["spin:sqlite/", "fermyon:spin/sqlite"]),
    (
        "variables",
        &["spin:variables/", "fermyon:spin/variables", "fermyon:spin/config", "wasi:config/"],
    ),
];

/// Whether an import belongs to a set that is not inherited.
pub(super) fn is_denied(interface: &str, inherit: &Inherit) -> bool {
    let Inherit::Only(granted) = inherit else { return false };
    set_of(interface).is_some_and(|set| !granted.iter().any(|name| name == set))
}

fn set_of(interface: &str) -> Option<&'static str> {
    let unversioned = interface.split_once('@').map_or(interface, |(name, _)| name);
    let covers = |entry: &&str| match entry.ends_with('/') {
        true => unversioned.starts_with(*entry),
        false => unversioned == *entry,
    };
    SETS.iter().find(|(_, entries)| entries.iter().any(covers)).map(|(set, _)| *set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(interface: &str, set: Option<&str>) {
        assert_eq!(set_of(interface), set, "{interface}");
    }

    #[test]
    fn interfaces_are_in_the_set_that_spin_puts_them_in() {
        check("spin:postgres/postgres@4.2.0", Some("allowed_outbound_hosts"));
        check("wasi:http/client@0.3.0", Some("allowed_outbound_hosts"));
        check("wasi:http/outgoing-handler@0.2.6", Some("allowed_outbound_hosts"));
        check("wasi:sockets/types@0.3.0", Some("allowed_outbound_hosts"));
        check("fermyon:spin/postgres@2.0.0", Some("allowed_outbound_hosts"));
        check("wasi:cli/environment@0.2.6", Some("environment"));
        check("wasi:filesystem/preopens@0.3.0", Some("files"));
        check("spin:key-value/key-value@3.0.0", Some("key_value_stores"));
        check("spin:variables/variables@3.0.0", Some("variables"));
        check("fermyon:spin/config", Some("variables"));
        check("fermyon:spin/llm@2.0.0", Some("ai_models"));
        check("spin:sqlite/sqlite@3.1.0", Some("sqlite_databases"));
    }

    #[test]
    fn what_carries_no_grant_is_in_no_set() {
        for interface in [
            HANDLER_AND_TYPES[0],
            HANDLER_AND_TYPES[1],
            "wasi:io/streams@0.2.6",
            "wasi:clocks/monotonic-clock@0.3.0",
            "wasi:random/random@0.2.6",
            "wasi:cli/stdout@0.2.6",
            "wasi:filesystem/types@0.2.6",
            "spin:variablesque/variables@3.0.0",
        ] {
            check(interface, None);
        }
    }

    const HANDLER_AND_TYPES: [&str; 2] = ["wasi:http/handler@0.3.0", "wasi:http/types@0.3.0"];

    #[test]
    fn only_sets_that_are_named_are_inherited() {
        let inherit = Inherit::Only(vec!["variables".into()]);
        assert!(!is_denied("spin:variables/variables@3.0.0", &inherit));
        assert!(is_denied("spin:postgres/postgres@4.2.0", &inherit));
        assert!(!is_denied("spin:postgres/postgres@4.2.0", &Inherit::All));
        assert!(is_denied("spin:variables/variables@3.0.0", &Inherit::Only(Vec::new())));
    }
}
