//! `[outbound_networking]` of the runtime configuration: where no guest may connect, whatever its
//! manifest allows. Addresses are judged after names are resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::toml_file::{Section, Text};

/// `[outbound_networking]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboundNetworking {
    /// Networks of `block_networks`.
    pub block_networks: Vec<IpNet>,
    /// Whether `block_networks` has `"private"`: every address that is not global.
    pub block_private: bool,
    /// `max_socket_connections`: sockets of guests at once. Each counts until its instance is gone,
    /// as nobody says when a guest closes one.
    pub socket_connections_max: Option<usize>,
    /// `max_total_connections`: guests' sockets, HTTP requests and database connections at once.
    pub connections_max: Option<usize>,
}

/// IPv4 networks that are not the public internet (IANA special-purpose registry), multicast
/// among them.
const PRIVATE_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The like for IPv6.
const PRIVATE_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::UNSPECIFIED, 128),
    (Ipv6Addr::LOCALHOST, 128),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

impl OutboundNetworking {
    /// Whether guests may not connect to this address. An IPv4 address inside an IPv6 one counts
    /// as both, or it would be a way around.
    pub fn blocks(&self, address: IpAddr) -> bool {
        let inner = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => embedded_v4(address).map(IpAddr::V4),
        };
        self.blocks_one(address) || inner.is_some_and(|inner| self.blocks_one(inner))
    }

    fn blocks_one(&self, address: IpAddr) -> bool {
        (self.block_private && is_private(address))
            || self.block_networks.iter().any(|network| network.contains(&address))
    }

    pub(crate) fn read(root: &Section<'_>) -> OutboundNetworking {
        let mut settings = OutboundNetworking::default();
        let Some(section) = root.section("outbound_networking") else { return settings };
        section.only(&["block_networks", "max_socket_connections", "max_total_connections"]);
        for network in section.texts("block_networks") {
            if network.value == "private" {
                settings.block_private = true;
            } else {
                let help = "write a network such as \"10.0.0.0/8\", or \"private\"";
                settings.block_networks.extend(read_network(&section, &network, help));
            }
        }
        settings.socket_connections_max = section.count("max_socket_connections");
        settings.connections_max = section.count("max_total_connections");
        settings
    }
}

/// Reads an address or a network; `help` says what may be written.
pub(crate) fn read_network(section: &Section<'_>, text: &Text<'_>, help: &str) -> Option<IpNet> {
    let single = || IpAddr::from_str(text.value).ok().map(IpNet::from);
    let network = IpNet::from_str(text.value).ok().or_else(single);
    if network.is_none() {
        let problem = format!("{:?} is no network", text.value);
        section.report.error_help(&text.span, problem, help.to_owned());
    }
    network.map(|network| network.trunc())
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => PRIVATE_V4.iter().any(|(network, bits)| {
            Ipv4Net::new(*network, *bits).is_ok_and(|network| network.contains(&address))
        }),
        IpAddr::V6(address) => PRIVATE_V6.iter().any(|(network, bits)| {
            Ipv6Net::new(*network, *bits).is_ok_and(|network| network.contains(&address))
        }),
    }
}

/// The IPv4 address that IPv6 traffic ends at: mapped, compatible, NAT64 or 6to4.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(from(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(from(high, low)),
        [0x2002, high, low, ..] => Some(from(high, low)),
        _ => None,
    }
}
