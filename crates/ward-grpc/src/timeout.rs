//! `grpc-timeout`: how long the client is going to wait, as the protocol writes it: up to eight
//! digits and a unit.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The protocol's bound on digits.
const DIGITS_MAX: usize = 8;

/// It is there and cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// How long the client waits; `None` where it does not say.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Malformed> {
    let mut sent = headers.get_all(GRPC_TIMEOUT).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let value = value.to_str().map_err(|_| Malformed)?;
            parse(value).map(Some).ok_or(Malformed)
        }
        (Some(_), Some(_)) => Err(Malformed),
    }
}

fn parse(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let count = (1..=DIGITS_MAX).contains(&digits.len());
    if !count || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(values: &[&'static str], expected: Result<Option<Duration>, Malformed>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(GRPC_TIMEOUT, HeaderValue::from_static(value));
        }
        assert_eq!(timeout(&headers), expected, "{values:?}");
    }

    #[test]
    fn units_and_lengths() {
        check(&[], Ok(None));
        check(&["1H"], Ok(Some(Duration::from_secs(3600))));
        check(&["2M"], Ok(Some(Duration::from_secs(120))));
        check(&["3S"], Ok(Some(Duration::from_secs(3))));
        check(&["250m"], Ok(Some(Duration::from_millis(250))));
        check(&["7u"], Ok(Some(Duration::from_micros(7))));
        check(&["0n"], Ok(Some(Duration::ZERO)));
        check(&["99999999H"], Ok(Some(Duration::from_secs(99_999_999 * 3600))));
    }

    #[test]
    fn what_is_none() {
        for value in ["", "S", "1", "1s", "1h", "-1S", "+1S", "1.5S", " 1S", "1 S", "100000000S"] {
            check(&[value], Err(Malformed));
        }
        check(&["1S", "1S"], Err(Malformed));
    }
}
