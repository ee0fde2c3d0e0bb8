//! Origins of web pages, as browsers send them (RFC 6454): what `cors_origins` lists.

use http::HeaderValue;
use http::uri::{Authority, Scheme};

use crate::toml_file::{Section, Text};

/// Reads one, exactly as a browser writes it: it is compared byte by byte.
pub(crate) fn read_origin(section: &Section<'_>, text: &Text<'_>) -> Option<HeaderValue> {
    let origin = HeaderValue::from_str(text.value).ok().filter(|_| is_origin(text.value));
    if origin.is_none() {
        let problem = format!("{:?} is no origin of pages", text.value);
        let help = "write a scheme, a host in lower case and a port where it is not the scheme's \
            own, as in \"https://app.example\"; there is no way to name all of them";
        section.report.error_help(&text.span, problem, help.to_owned());
    }
    origin
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let Ok(parsed) = Authority::try_from(authority) else { return false };
    let own = if scheme == Scheme::HTTPS.as_str() { "443" } else { "80" };
    [Scheme::HTTPS.as_str(), Scheme::HTTP.as_str()].contains(&scheme)
        && !parsed.host().is_empty()
        && !authority.contains(['@', '*'])
        && !authority.ends_with(':')
        && parsed.port().is_none_or(|port| port.as_str() != own)
        && !authority.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn origins_are_as_browsers_write_them() {
        let right = ["https://app.example", "http://localhost:5173", "http://[::1]:3000"];
        for origin in right {
            assert!(is_origin(origin), "{origin}");
        }
        for wrong in [
            "*",
            "null",
            "",
            "app.example",
            "https://",
            "https://*.example",
            "https://App.example",
            "https://app.example/",
            "https://app.example/path",
            "https://app.example:443",
            "http://app.example:80",
            "https://app.example:",
            "https://me@app.example",
            "ftp://app.example",
        ] {
            assert!(!is_origin(wrong), "{wrong}");
        }
    }
}
