//! `traceparent`: the trace a call belongs to, passed on as it came if it has the form the W3C gave
//! it, and dropped otherwise.

use http::{HeaderMap, HeaderName};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Lengths of the four fields of version 00: version, trace, parent, flags.
const FIELD_LENGTHS: [usize; 4] = [2, 32, 16, 2];

/// The call's trace context, if it came with one.
pub(crate) fn parent(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(TRACEPARENT).iter();
    let value = sent.next()?.to_str().ok()?;
    let lengths = value.split('-').map(str::len);
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    let formed = lengths.eq(FIELD_LENGTHS) && value.bytes().all(digit);
    (sent.next().is_none() && formed).then_some(value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn check(values: &[&'static str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, HeaderValue::from_static(value));
        }
        assert_eq!(parent(&headers), expected, "{values:?}");
    }

    #[test]
    fn what_has_the_form_passes() {
        check(&[], None);
        check(&[SENT], Some(SENT));
        check(&[SENT, SENT], None);
        check(&["00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"], None);
        check(&["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"], None);
        check(&["Jane Roe"], None);
        check(&[""], None);
    }
}
