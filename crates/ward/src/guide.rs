//! What is printed when the application is ready: its addresses, and the guide that it brings.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ward_http::Bound;
use ward_manifest::{Addresses, App};

/// The text for an application and its open listeners; `others` are those of other protocols and
/// purposes, by name, and whether they speak TLS.
pub(crate) fn text(
    app: &App,
    bound: &[Bound],
    others: &[(&str, SocketAddr, bool)],
    demo: bool,
) -> String {
    let mut text = format!("\n{} is being served:\n", app.name);
    let name = |bound: &Bound| bound.component.clone().unwrap_or_else(|| "gateway".to_owned());
    let mut listeners: Vec<_> =
        bound.iter().map(|bound| (name(bound), url(bound.address, bound.is_tls))).collect();
    listeners
        .extend(others.iter().map(|(name, at, is_tls)| ((*name).to_owned(), url(*at, *is_tls))));
    let width = listeners.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, url) in listeners {
        text.push_str(&format!("  {name:width$}  {url}\n"));
    }
    let gateway = bound.iter().find(|bound| bound.component.is_none());
    let settings = &app.settings;
    let guide = settings.demo_guide.as_ref().filter(|_| demo).or(settings.guide.as_ref());
    if let (Some(guide), Some(gateway)) = (guide, gateway) {
        let gateway = url(gateway.address, gateway.is_tls);
        let grpc = others.iter().find(|(name, ..)| *name == "grpc");
        let grpc = grpc.map(|(_, at, _)| nearby(*at).to_string()).unwrap_or_default();
        text.push('\n');
        text.push_str(&guide.text(Addresses { gateway: &gateway, grpc: &grpc }));
    }
    text.push_str("\nCtrl-C stops everything; the data stays.\n");
    text
}

/// What a client on this machine writes for the address.
fn nearby(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            address.set_ip(Ipv4Addr::LOCALHOST.into())
        }
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            address.set_ip(Ipv6Addr::LOCALHOST.into())
        }
        _ => {}
    }
    address
}

fn url(address: SocketAddr, is_tls: bool) -> String {
    let scheme = if is_tls { "https" } else { "http" };
    format!("{scheme}://{}", nearby(address))
}
