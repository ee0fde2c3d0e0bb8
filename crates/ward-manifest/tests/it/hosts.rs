//! Which addresses the entries of `allowed_outbound_hosts` let through.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use ward_manifest::AllowedHosts;

/// `calls` are `scheme host port`; each must be allowed by `entry`, or refused, as said.
fn check(entry: &str, allowed: &[&str], refused: &[&str]) {
    let hosts = AllowedHosts::parse(&[entry.to_owned()]);
    let answer = |call: &&str| {
        let [scheme, host, port] = *call.split(' ').collect::<Vec<_>>() else { return None };
        Some(hosts.as_ref().ok()?.allows(scheme, host, port.parse().ok()?))
    };
    for call in allowed {
        assert_eq!(answer(call), Some(true), "{entry} and {call}: {hosts:?}");
    }
    for call in refused {
        assert_eq!(answer(call), Some(false), "{entry} and {call}: {hosts:?}");
    }
}

#[test]
fn schemes() {
    check("https://a.example", &["https a.example 443"], &["http a.example 443"]);
    check("*://a.example:1", &["https a.example 1", "x a.example 1"], &["x a.example 2"]);
    check("HTTPS://A.Example", &["https a.example 443", "HTTPS A.EXAMPLE 443"], &[]);
}

#[test]
fn hosts() {
    let names = ["http a.example 80", "http A.EXAMPLE 80", "http a.example. 80"];
    check("http://a.example", &names, &["http b.a.example 80", "http aa.example 80"]);
    check("http://a.example/", &["http a.example 80"], &["http a.example 81"]);
    check(
        "http://*.a.example",
        &["http b.a.example 80", "http c.b.a.example 80"],
        &["http a.example 80", "http ba.example 80", "http b.a.example.evil 80"],
    );
    check("http://*:*", &["http a 1", "http 1.2.3.4 2", "http [::1] 3"], &["https a 1"]);
    check("*://*:*", &["http a 1", "postgres 10.0.0.1 5432"], &["http bad%20host 80", "x  1"]);
    check("http://bücher.example", &["http xn--bcher-kva.example 80"], &["http bucher.example 80"]);
}

#[test]
fn addresses() {
    check("http://10.0.0.1", &["http 10.0.0.1 80", "http 0xa000001 80"], &["http 10.0.0.2 80"]);
    check("http://10.0.0.0/8:*", &["http 10.255.0.1 5"], &["http 11.0.0.1 5", "http ten 5"]);
    check("http://10.0.0.0/8", &["http 10.255.0.1 80"], &["http 10.255.0.1 81"]);
    let loopback = ["http [::1] 80", "http ::1 80", "http [0:0::1] 80"];
    check("http://[::1]", &loopback, &["http [::2] 80", "http 0.0.0.1 80"]);
    check("http://::1", &loopback, &[]);
    check("http://[::1]:8080", &["http [::1] 8080"], &["http [::1] 80"]);
    check("http://fd00::/8", &["http [fd12::1] 80"], &["http [fe80::1] 80"]);
}

#[test]
fn ports() {
    check("postgres://h", &["postgres h 5432"], &["postgres h 5433"]);
    check("http://h:8000..8002", &["http h 8000", "http h 8001"], &["http h 8002", "http h 80"]);
    check("http://h:*", &["http h 1", "http h 65535"], &[]);
    check("redis://h", &["redis h 6379"], &[]);
    check("mysql://h", &["mysql h 3306"], &[]);
    check("mqtt://h", &["mqtt h 1883"], &[]);
}

#[test]
fn the_application_itself_is_no_address() {
    check("http://self", &[], &["http self 80", "http localhost 80"]);
    let parse = |entry: &str| AllowedHosts::parse(&[entry.to_owned()]).unwrap_or_default();
    assert!(parse("http://self").allows_self("http"));
    assert!(!parse("http://self").allows_self("https"));
    assert!(parse("*://*:*").allows_self("https"));
    assert!(!parse("http://a.example").allows_self("http"));
}

#[test]
fn nothing_is_allowed_by_nothing() {
    check("", &[], &["http a 80"]);
    check("https://", &[], &["https a 443"]);
    assert!(AllowedHosts::default().is_empty());
}

#[test]
fn wrong_entries_are_counted() -> Result<(), &'static str> {
    let entries = ["http://ok", "nope", "", "http://x/y"].map(str::to_owned);
    let Err(errors) = AllowedHosts::parse(&entries) else { return Err("it parsed") };
    let shown: Vec<String> = errors.iter().map(|e| format!("{} {e}", e.index)).collect();
    assert_eq!(shown, ["1 `nope` has no scheme", "3 `http://x/y` has a path"]);
    Ok(())
}

fn entry_for(scheme: &str, host: &str, port: u16) -> AllowedHosts {
    AllowedHosts::parse(&[format!("{scheme}://{host}:{port}")]).unwrap_or_default()
}

proptest! {
    #[test]
    fn a_name_allows_itself_and_no_other(
        scheme in "[a-z]{1,8}",
        host in "[a-z]([a-z0-9]{0,8}[a-z])?(\\.[a-z]{1,8}){0,3}",
        other in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}",
        port: u16,
        other_port: u16,
    ) {
        let hosts = entry_for(&scheme, &host, port);
        prop_assume!(host != "self" && host != "self.alt");
        prop_assume!(!host.ends_with("spin.internal"));
        prop_assert!(hosts.allows(&scheme, &host, port));
        prop_assert!(hosts.allows(&scheme.to_uppercase(), &host.to_uppercase(), port));
        prop_assert_eq!(hosts.allows(&scheme, &other, port), host == other);
        prop_assert_eq!(hosts.allows(&scheme, &host, other_port), port == other_port);
    }

    #[test]
    fn an_address_allows_itself_however_written(v4: u32, v6: u128, other: u32, port: u16) {
        let (v4, v6, other) =
            (Ipv4Addr::from_bits(v4), Ipv6Addr::from_bits(v6), Ipv4Addr::from_bits(other));
        let hosts = entry_for("http", &v4.to_string(), port);
        prop_assert!(hosts.allows("http", &v4.to_string(), port));
        let hexadecimal = format!("{:#x}", v4.to_bits());
        prop_assert!(hosts.allows("http", &hexadecimal, port));
        prop_assert_eq!(hosts.allows("http", &other.to_string(), port), other == v4);
        let bracketed = format!("[{v6}]");
        let hosts = entry_for("http", &bracketed, port);
        prop_assert!(hosts.allows("http", &bracketed, port));
        prop_assert!(hosts.allows("http", &v6.to_string(), port));
        prop_assert!(!hosts.allows("http", &v4.to_string(), port));
    }

    #[test]
    fn a_network_allows_what_shares_its_prefix(network: u32, address: u32, bits in 0_u32..=32) {
        let text = format!("{}/{bits}", Ipv4Addr::from_bits(network));
        let hosts = AllowedHosts::parse(&[format!("http://{text}")]).unwrap_or_default();
        let same = (network ^ address).leading_zeros() >= bits;
        let address = Ipv4Addr::from_bits(address).to_string();
        prop_assert_eq!(hosts.allows("http", &address, 80), same);
    }

    #[test]
    fn a_range_allows_from_its_start_to_before_its_end(a: u16, b: u16, port: u16) {
        prop_assume!(a < b);
        let hosts = AllowedHosts::parse(&[format!("http://h:{a}..{b}")]).unwrap_or_default();
        prop_assert_eq!(hosts.allows("http", "h", port), (a..b).contains(&port));
    }

    #[test]
    fn no_text_makes_it_panic(entry: String, scheme: String, host: String, port: u16) {
        if let Ok(hosts) = AllowedHosts::parse(&[entry, format!("{scheme}://{host}")]) {
            hosts.allows(&scheme, &host, port);
        }
    }

    #[test]
    fn no_password_is_shown(
        user in "[a-z]{1,5}", password in "[^@\"'`\n]{0,10}hunter2", host in "[a-z.:/*]{0,9}",
    ) {
        let entry = format!("postgres://{user}:{password}@{host}");
        let shown = match AllowedHosts::parse(&[entry]) {
            Ok(hosts) => format!("{hosts:?}"),
            Err(errors) => format!("{errors:?}"),
        };
        prop_assert!(!shown.contains("hunter2"), "{}", shown);
    }
}
