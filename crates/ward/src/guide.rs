//! What to try: the addresses, and the first requests as lines that work when they are pasted.
//! They need curl and sed only.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ward_http::Bound;
use ward_manifest::{App, Route};

/// The first of the demo patients.
const PATIENT: &str = "123e4567-e89b-12d3-a456-426614174000";

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
    let others = others.iter();
    listeners.extend(others.map(|(name, at, is_tls)| ((*name).to_owned(), url(*at, *is_tls))));
    let width = listeners.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, url) in listeners {
        text.push_str(&format!("  {name:width$}  {url}\n"));
    }
    let gateway = bound.iter().find(|bound| bound.component.is_none());
    if let Some(gateway) = gateway.filter(|_| serves(app, "/auth/") && serves(app, "/api/patients"))
    {
        requests(&mut text, &url(gateway.address, gateway.is_tls), demo);
    }
    text.push_str("\nCtrl-C stops everything; the data stays.\n");
    text
}

/// The address as a client on this machine writes it.
fn url(mut address: SocketAddr, is_tls: bool) -> String {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            address.set_ip(Ipv4Addr::LOCALHOST.into())
        }
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            address.set_ip(Ipv6Addr::LOCALHOST.into())
        }
        _ => {}
    }
    let scheme = if is_tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

fn serves(app: &App, prefix: &str) -> bool {
    app.http_triggers.iter().any(|trigger| match &trigger.route {
        Route::Public(route) => route.starts_with(prefix),
        Route::Private => false,
    })
}

fn requests(text: &mut String, gateway: &str, demo: bool) {
    let (email, password) = match demo {
        true => ("testuser@test.com", "password123"),
        false => ("YOUR_EMAIL", "YOUR_PASSWORD"),
    };
    let json = "-H 'content-type: application/json'";
    let bearer = "-H \"authorization: Bearer $TOKEN\"";
    let patient = concat!(
        r#"{"name":"Ada Example","email":"ada@example.com","address":"1 Example Street","#,
        r#""dateOfBirth":"1985-12-10","registeredDate":"2024-01-10"}"#
    );
    let read = if demo { PATIENT } else { "ID" };
    let who = if demo { format!(" ({email} / {password})") } else { String::new() };
    let lines = [
        format!("# log in{who} and keep the token for 15 minutes"),
        format!(
            "TOKEN=$(curl -s {gateway}/auth/login {json} \
             -d '{{\"email\":\"{email}\",\"password\":\"{password}\"}}' \
             | sed 's/.*\"token\" *: *\"\\([^\"]*\\)\".*/\\1/')"
        ),
        "# list, create, read".to_owned(),
        format!("curl -s {gateway}/api/patients {bearer}"),
        format!("curl -s -i {gateway}/api/patients {bearer} {json} \\\n    -d '{patient}'"),
        format!("curl -s -i {gateway}/api/patients/{read} {bearer}"),
    ];
    text.push_str("\nTo try:\n");
    for line in lines {
        text.push_str(&format!("  {line}\n"));
    }
}
