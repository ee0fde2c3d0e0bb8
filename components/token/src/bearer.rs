//! Takes the bearer token out of the `Authorization` header (RFC 6750, 2.1). A token is accepted
//! from nowhere else: in a URL or a body it would end up in logs.

/// What a request's `Authorization` headers hold.
#[derive(Debug, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// No such header. RFC 6750 wants the answer to this to carry no error code.
    Missing,
    /// Something that cannot be a bearer token: another scheme, no token, characters a token does
    /// not have, or more than one header, of which no proxy in front could know which counts.
    Unusable,
    /// One token, not yet verified.
    Token(&'a str),
}

/// Reads the values of all `Authorization` headers of one request.
pub fn bearer<V: AsRef<[u8]>>(values: &[V]) -> Credentials<'_> {
    match values {
        [] => Credentials::Missing,
        [value] => token(value.as_ref()).map_or(Credentials::Unusable, Credentials::Token),
        _ => Credentials::Unusable,
    }
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110, 11.1).
fn token(value: &[u8]) -> Option<&str> {
    let value = std::str::from_utf8(value).ok()?.trim_matches(' ');
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let usable = !token.is_empty() && token.bytes().all(is_token_byte);
    (scheme.eq_ignore_ascii_case("bearer") && usable).then_some(token)
}

/// The alphabet of a compact JWT: base64url and dots.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_header() {
        let cases: [(&[u8], Option<&str>); 14] = [
            (b"Bearer a.b.c", Some("a.b.c")),
            (b"bearer a.b.c", Some("a.b.c")),
            (b"BEARER   a-_.b.c ", Some("a-_.b.c")),
            (b"Bearer", None),
            (b"Bearer ", None),
            (b"Bearer a b", None),
            (b"Bearer a,Bearer b", None),
            (b"Bearer\ta.b.c", None),
            (b"Basic dXNlcjpwYXNz", None),
            (b"Bearera.b.c", None),
            (b"a.b.c", None),
            (b"", None),
            (b"Bearer \xff.b.c", None),
            (b"Bearer a=.b.c", None),
        ];
        for (value, expected) in cases {
            let expected = expected.map_or(Credentials::Unusable, Credentials::Token);
            assert_eq!(bearer(&[value]), expected, "{value:?}");
        }
    }

    #[test]
    fn none_and_many() {
        assert_eq!(bearer::<&[u8]>(&[]), Credentials::Missing);
        assert_eq!(bearer(&["Bearer a.b.c", "Bearer a.b.c"]), Credentials::Unusable);
    }
}
