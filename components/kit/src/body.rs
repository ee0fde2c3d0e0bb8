//! JSON request bodies, read strictly and with limits.
//!
//! Stricter than `serde_json` alone: an object that says one name twice is refused (two readers
//! might
//! believe two values), and so are deep nesting and many values, before they take memory. What is
//! wrong is told by line and column, never by quoting the body.

use std::cell::Cell;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body::Body;
use http_body_util::BodyExt;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::Problem;
use crate::problem::{MALFORMED_JSON, TOO_LARGE, UNSUPPORTED_TYPE};

/// Largest document read, in bytes (64 KiB), unless an operation says less. Ours are a few hundred;
/// with every character escaped the longest would be about 8 KiB.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 16;

/// Deepest nesting read. Our documents have one or two levels.
pub const MAX_DEPTH: usize = 32;

/// Most values in a document, those within others included. Ours have a dozen. In memory a value
/// with its map takes up to 640 bytes and in a body three, so that without this a body would grow
/// two hundredfold; with it a document adds 160 KiB at most to its text.
pub const VALUES_MAX: usize = 256;

/// What bodies come as: pieces of bytes, from the host or, in tests, from memory.
pub trait Incoming: Body<Data = Bytes> {}

impl<B: Body<Data = Bytes>> Incoming for B {}

/// A request's body that is to be read as a JSON document, once somebody wants it.
#[derive(Debug)]
pub struct Document<'a, B> {
    headers: &'a HeaderMap,
    body: B,
    bytes_max: usize,
}

impl<'a, B: Incoming> Document<'a, B> {
    /// The body that came with these headers, of which at most `bytes_max` are read.
    pub fn new(headers: &'a HeaderMap, body: B, bytes_max: usize) -> Self {
        Self { headers, body, bytes_max }
    }

    /// Reads it: 415 for another type, 413 beyond the limit, 400 if it is not JSON.
    pub async fn json(self) -> Result<Value, Problem> {
        require_json(self.headers)?;
        parse(&collect(self.headers, self.body, self.bytes_max).await?)
    }
}

/// What JSON is sent as: its own type, and the one that was in use before it had one. Types that
/// end in `+json` say that the document means something else.
const JSON_TYPES: [&str; 2] = ["application/json", "text/json"];

/// How clients call UTF-8, and the part of it that is enough for JSON with escapes.
const UTF8_NAMES: [&str; 3] = ["utf-8", "utf8", "us-ascii"];

/// The content type has to be JSON's, in UTF-8 if it says anything about that, and not compressed.
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let (essence, parameters) = media.split_once(';').unwrap_or((media, ""));
    let charset =
        parameters.split(';').filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
        });
    let is_one_of =
        |names: &[&str], text: &str| names.iter().any(|name| name.eq_ignore_ascii_case(text));
    let plain = headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding == "identity");
    let expected = if !is_one_of(&JSON_TYPES, essence.trim()) {
        "The Content-Type has to be application/json."
    } else if !charset.is_none_or(|name| is_one_of(&UTF8_NAMES, name)) {
        "The document has to be in UTF-8: leave charset out of the Content-Type, or name utf-8."
    } else if !plain {
        "The document must not be compressed."
    } else {
        return Ok(());
    };
    Err(Problem::new(UNSUPPORTED_TYPE).detail(expected))
}

/// Reads the pieces, and stops at the one with which there are too many bytes: whoever sends more
/// one by one is not listened to until the end.
async fn collect<B: Incoming>(
    headers: &HeaderMap,
    body: B,
    max_bytes: usize,
) -> Result<Vec<u8>, Problem> {
    let too_large =
        || Problem::new(TOO_LARGE).detail(format!("At most {max_bytes} bytes are read."));
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    if announced > max_bytes {
        return Err(too_large());
    }
    let mut body = std::pin::pin!(body);
    let mut bytes = Vec::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        // Why a body ends early is between the client and the host; it is not ours to guess.
        let frame =
            frame.map_err(|_| Problem::new(MALFORMED_JSON).detail("The body broke off."))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max_bytes {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Reads one JSON value and nothing after it.
pub fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let values_left = Cell::new(VALUES_MAX);
    let strict = Strict { depth_left: MAX_DEPTH, values_left: &values_left };
    let value = strict.deserialize(&mut reader);
    value.and_then(|value| reader.end().map(|()| value)).map_err(|error| malformed(&error))
}

/// Only the place is taken from the error: its message may quote the body.
fn malformed(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let what = if error.is_data() {
        "A name is repeated, or there are too many values or levels,"
    } else if error.is_eof() {
        "The document ends too early,"
    } else {
        "There is a mistake"
    };
    Problem::new(MALFORMED_JSON).detail(format!("{what} at line {line}, column {column}."))
}

/// Builds a [`Value`] while counting depth and values and watching for repeated names: what is too
/// much is refused before it is made.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth_left: usize,
    values_left: &'a Cell<usize>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1);
        let depth_left = depth_left.ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth_left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        let left = self.values_left.get().checked_sub(1);
        self.values_left.set(left.ok_or_else(|| D::Error::custom("too many values"))?);
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if values.insert(name, value).is_some() {
                return Err(A::Error::custom("a name is repeated"));
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<Value, &str>) {
        let found = parse(text.as_bytes());
        let expected =
            expected.map_err(|detail| Problem::new(MALFORMED_JSON).detail(detail.to_owned()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn values() {
        check(
            r#" {"a": [1, -2, 0.5, null, true, "x"]} "#,
            Ok(serde_json::json!({
                "a": [1, -2, 0.5, null, true, "x"]
            })),
        );
        check("\"\\u0000\"", Ok(Value::from("\0")));
        check("\"\\ud83d\\ude00\"", Ok(Value::from("😀")));
    }

    #[test]
    fn mistakes_are_placed_and_not_quoted() {
        check("", Err("The document ends too early, at line 1, column 0."));
        check("{\"secret\": ", Err("The document ends too early, at line 1, column 11."));
        check("{\n  secret: 1}", Err("There is a mistake at line 2, column 3."));
        check("{} secret", Err("There is a mistake at line 1, column 4."));
        check("\"\\ud800\"", Err("There is a mistake at line 1, column 8."));
        check("\"\\ud800x\"", Err("There is a mistake at line 1, column 8."));
        let twice =
            "A name is repeated, or there are too many values or levels, at line 1, column 15.";
        check(r#"{"a":1,"a":"s"}"#, Err(twice));
    }

    #[test]
    fn depth_has_a_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(parse(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(parse(nested(100_000).as_bytes()).is_err());
    }

    #[test]
    fn values_have_a_limit() {
        let array = |values: usize| format!("[{}]", vec!["0"; values].join(","));
        assert!(parse(array(VALUES_MAX - 1).as_bytes()).is_ok());
        assert!(parse(array(VALUES_MAX).as_bytes()).is_err());
        let object = |values: usize| {
            let entries = (0..values).map(|at| format!("\"{at}\":{{}}")).collect::<Vec<_>>();
            format!("{{{}}}", entries.join(","))
        };
        assert!(parse(object(VALUES_MAX - 1).as_bytes()).is_ok());
        assert!(parse(object(VALUES_MAX).as_bytes()).is_err());
        // Nothing after the value that is one too many is looked at.
        assert!(parse(format!("{}!", array(VALUES_MAX).replace(']', ",")).as_bytes()).is_err());
    }

    /// A body that comes byte by byte and counts them.
    struct Trickle<'a>(&'a Cell<usize>);

    impl Body for Trickle<'_> {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            self.0.set(self.0.get() + 1);
            let byte = Bytes::from_static(b" ");
            std::task::Poll::Ready(Some(Ok(http_body::Frame::data(byte))))
        }
    }

    #[test]
    fn nobody_is_listened_to_past_the_limit() {
        let read = Cell::new(0);
        let headers = HeaderMap::new();
        let reading = std::pin::pin!(collect(&headers, Trickle(&read), 4096));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(found) = reading.poll(&mut context) else { panic!() };
        assert_eq!((found.unwrap_err().kind(), read.get()), (TOO_LARGE, 4097));
    }

    fn read(headers: &[(&'static str, &str)], body: Vec<u8>) -> Result<Value, Problem> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let document = Document::new(&map, Full::new(Bytes::from(body)), DOCUMENT_BYTES_MAX);
        let reading = std::pin::pin!(document.json());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match reading.poll(&mut context) {
            std::task::Poll::Ready(result) => result,
            std::task::Poll::Pending => panic!("a body in memory is always ready"),
        }
    }

    #[test]
    fn content_types() {
        let check = |headers: &[(&'static str, &str)], accepted: bool| {
            let found = read(headers, b"1".to_vec()).map_err(|problem| problem.kind());
            assert_eq!(found, if accepted { Ok(Value::from(1)) } else { Err(UNSUPPORTED_TYPE) });
        };
        check(&[("content-type", "application/json")], true);
        check(&[("content-type", "Application/JSON; charset=UTF-8")], true);
        check(&[("content-type", "application/json;charset=\"utf-8\"")], true);
        check(&[("content-type", "application/json; charset=utf8")], true);
        check(&[("content-type", "application/json; charset=UTF8; v=1")], true);
        check(&[("content-type", "application/json; charset=us-ascii")], true);
        check(&[("content-type", "text/json")], true);
        check(&[("content-type", "application/problem+json")], false);
        check(&[("content-type", "application/merge-patch+json")], false);
        check(&[("content-type", "application/json"), ("content-encoding", "identity")], true);
        check(&[], false);
        check(&[("content-type", "text/plain")], false);
        check(&[("content-type", "application/jsonx")], false);
        check(&[("content-type", "application/json; charset=latin1")], false);
        check(&[("content-type", "application/json"), ("content-encoding", "gzip")], false);
    }

    #[test]
    fn size_has_a_limit() {
        let kind = ("content-type", "application/json");
        let text = |bytes: usize| format!("\"{}\"", "a".repeat(bytes - 2)).into_bytes();
        assert!(read(&[kind], text(DOCUMENT_BYTES_MAX)).is_ok());
        let refused = |found: Result<Value, Problem>| found.unwrap_err().kind() == TOO_LARGE;
        assert!(refused(read(&[kind], text(DOCUMENT_BYTES_MAX + 1))));
        assert!(read(&[kind, ("content-length", "65536")], text(DOCUMENT_BYTES_MAX)).is_ok());
        assert!(refused(read(&[kind, ("content-length", "65537")], b"1".to_vec())));
    }

    proptest! {
        #[test]
        fn never_panics_and_agrees_with_serde(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = parse(&bytes) {
                prop_assert_eq!(value, serde_json::from_slice::<Value>(&bytes).unwrap());
            }
        }
    }
}
