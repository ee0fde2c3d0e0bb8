//! Every type there and back through the server, NULL of each, and what has no representation.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::connected;
use crate::capabilities::bindings::postgres::{
    DbDataType, DbValue, Error, Interval, ParameterValue as P, RangeBoundKind,
};

/// Cases for each type. A round trip takes some 100 µs, and there are 26 types.
const CASES: u32 = 64;

/// What the server must give back for a parameter.
fn expected(parameter: &P) -> DbValue {
    match parameter.clone() {
        P::Boolean(value) => DbValue::Boolean(value),
        P::Int8(value) => DbValue::Int8(value),
        P::Int16(value) => DbValue::Int16(value),
        P::Int32(value) => DbValue::Int32(value),
        P::Int64(value) => DbValue::Int64(value),
        P::Floating32(value) => DbValue::Floating32(value),
        P::Floating64(value) => DbValue::Floating64(value),
        P::Str(value) => DbValue::Str(value),
        P::Binary(value) => DbValue::Binary(value),
        P::Date(value) => DbValue::Date(value),
        P::Time(value) => DbValue::Time(value),
        P::Datetime(value) => DbValue::Datetime(value),
        P::Timestamp(value) => DbValue::Timestamp(value),
        P::Uuid(value) => DbValue::Uuid(value),
        P::Jsonb(value) => DbValue::Jsonb(value),
        P::Decimal(value) => DbValue::Decimal(value),
        P::RangeInt32(value) => DbValue::RangeInt32(value),
        P::RangeInt64(value) => DbValue::RangeInt64(value),
        P::RangeDecimal(value) => DbValue::RangeDecimal(value),
        P::ArrayInt32(value) => DbValue::ArrayInt32(value),
        P::ArrayInt64(value) => DbValue::ArrayInt64(value),
        P::ArrayDecimal(value) => DbValue::ArrayDecimal(value),
        P::ArrayStr(value) => DbValue::ArrayStr(value),
        P::Interval(value) => DbValue::Interval(value),
        P::DbNull => DbValue::DbNull,
    }
}

fn text() -> impl Strategy<Value = String> {
    // PostgreSQL's text has every character but NUL.
    "[^\0]{0,40}"
}

/// Decimals as PostgreSQL prints them, beyond 96 bits too.
fn decimal() -> impl Strategy<Value = String> {
    ("-?[1-9][0-9]{0,60}(\\.[0-9]{1,60})?|0(\\.[0-9]{1,60})?").boxed()
}

fn date() -> impl Strategy<Value = (i32, u8, u8)> {
    (-4712..=5_874_897_i32, 1..=12_u8, 1..=28_u8)
}

fn time() -> impl Strategy<Value = (u8, u8, u8, u32)> {
    (0..=23_u8, 0..=59_u8, 0..=59_u8, (0..1_000_000_u32).prop_map(|micros| micros * 1000))
}

fn datetime() -> impl Strategy<Value = (i32, u8, u8, u8, u8, u8, u32)> {
    ((-4712..=294_275_i32), 1..=12_u8, 1..=28_u8, time())
        .prop_map(|(y, mo, d, (h, mi, s, n))| (y, mo, d, h, mi, s, n))
}

type End<T> = Option<(T, RangeBoundKind)>;

/// Ranges as PostgreSQL keeps those of whole numbers: with the lower end, without the upper.
fn whole_range<T: Copy + Ord + std::fmt::Debug>(
    ends: impl Strategy<Value = (T, T)>,
) -> impl Strategy<Value = (End<T>, End<T>)> {
    (ends, any::<(bool, bool)>()).prop_filter_map("empty", |((a, b), (lower, upper))| {
        (a < b).then_some((
            lower.then_some((a, RangeBoundKind::Inclusive)),
            upper.then_some((b, RangeBoundKind::Exclusive)),
        ))
    })
}

fn decimal_range() -> impl Strategy<Value = (End<String>, End<String>)> {
    let kind = || prop_oneof![Just(RangeBoundKind::Inclusive), Just(RangeBoundKind::Exclusive)];
    let lower = option::of((Just("-7.50".to_owned()), kind()));
    let upper = option::of(("[1-9][0-9]{0,40}\\.[0-9]{3}", kind()));
    (lower, upper)
}

fn interval() -> impl Strategy<Value = Interval> {
    any::<(i64, i32, i32)>().prop_map(|(micros, days, months)| Interval { micros, days, months })
}

/// SQL's name of each type, what the column is called, and its values.
fn types() -> Vec<(&'static str, DbDataType, BoxedStrategy<P>)> {
    use DbDataType as D;
    vec![
        ("bool", D::Boolean, any::<bool>().prop_map(P::Boolean).boxed()),
        ("\"char\"", D::Int8, any::<i8>().prop_map(P::Int8).boxed()),
        ("int2", D::Int16, any::<i16>().prop_map(P::Int16).boxed()),
        ("int4", D::Int32, any::<i32>().prop_map(P::Int32).boxed()),
        ("int8", D::Int64, any::<i64>().prop_map(P::Int64).boxed()),
        ("float4", D::Floating32, any::<f32>().prop_map(P::Floating32).boxed()),
        ("float8", D::Floating64, any::<f64>().prop_map(P::Floating64).boxed()),
        ("text", D::Str, text().prop_map(P::Str).boxed()),
        ("varchar", D::Str, text().prop_map(P::Str).boxed()),
        ("bytea", D::Binary, vec(any::<u8>(), 0..60).prop_map(P::Binary).boxed()),
        ("date", D::Date, date().prop_map(P::Date).boxed()),
        ("time", D::Time, time().prop_map(P::Time).boxed()),
        ("timestamp", D::Datetime, datetime().prop_map(P::Datetime).boxed()),
        (
            "timestamptz",
            D::Timestamp,
            (-210_000_000_000..=9_000_000_000_000_i64).prop_map(P::Timestamp).boxed(),
        ),
        (
            "uuid",
            D::Uuid,
            any::<u128>().prop_map(|bits| P::Uuid(uuid::Uuid::from_u128(bits).to_string())).boxed(),
        ),
        (
            "jsonb",
            D::Jsonb,
            "[a-z]{0,9}".prop_map(|s| P::Jsonb(format!("{{\"k\": \"{s}\"}}").into())).boxed(),
        ),
        ("numeric", D::Decimal, decimal().prop_map(P::Decimal).boxed()),
        (
            "int4range",
            D::RangeInt32,
            whole_range(any::<(i32, i32)>()).prop_map(P::RangeInt32).boxed(),
        ),
        (
            "int8range",
            D::RangeInt64,
            whole_range(any::<(i64, i64)>()).prop_map(P::RangeInt64).boxed(),
        ),
        ("numrange", D::RangeDecimal, decimal_range().prop_map(P::RangeDecimal).boxed()),
        ("int4[]", D::ArrayInt32, vec(any::<Option<i32>>(), 0..9).prop_map(P::ArrayInt32).boxed()),
        ("int8[]", D::ArrayInt64, vec(any::<Option<i64>>(), 0..9).prop_map(P::ArrayInt64).boxed()),
        (
            "numeric[]",
            D::ArrayDecimal,
            vec(option::of(decimal()), 0..9).prop_map(P::ArrayDecimal).boxed(),
        ),
        ("text[]", D::ArrayStr, vec(option::of(text()), 0..9).prop_map(P::ArrayStr).boxed()),
        ("varchar[]", D::ArrayStr, vec(option::of(text()), 0..9).prop_map(P::ArrayStr).boxed()),
        ("interval", D::Interval, interval().prop_map(P::Interval).boxed()),
    ]
}

// Values are compared as they print: the generated types have no equality, and NaN none at all.
fn same(a: impl std::fmt::Debug, b: impl std::fmt::Debug) -> Result<(), TestCaseError> {
    prop_assert_eq!(format!("{a:?}"), format!("{b:?}"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_there_and_back() {
    let (_service, _, lease) = connected().await;
    let runtime = tokio::runtime::Handle::current();
    let run = move || {
        for (sql, data_type, values) in types() {
            let statement = format!("SELECT $1::{sql}");
            let null = runtime.block_on(lease.query(&statement, &[P::DbNull])).unwrap();
            assert!(matches!(null.rows[0][0], DbValue::DbNull), "{sql}");
            let mut runner = TestRunner::new(Config { cases: CASES, ..Config::default() });
            runner
                .run(&values, |value| {
                    let set = runtime
                        .block_on(lease.query(&statement, std::slice::from_ref(&value)))
                        .map_err(|error| TestCaseError::fail(format!("{sql}: {error:?}")))?;
                    same(&set.columns[0].data_type, &data_type)?;
                    same(&set.rows[0][0], expected(&value))
                })
                .unwrap();
        }
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}

#[tokio::test]
async fn the_server_reads_what_was_meant() {
    let (_service, _, lease) = connected().await;
    for (parameter, cast, printed) in [
        (P::Date((2024, 2, 29)), "date", "2024-02-29"),
        (P::Date((-43, 3, 15)), "date", "0044-03-15 BC"),
        (P::Time((24, 0, 0, 0)), "time", "24:00:00"),
        (P::Time((1, 2, 3, 4_000_999)), "time", "01:02:03.004"),
        (
            P::Datetime((1999, 12, 31, 23, 59, 59, 999_999_000)),
            "timestamp",
            "1999-12-31 23:59:59.999999",
        ),
        (P::Timestamp(-1), "timestamptz", "1969-12-31 23:59:59+00"),
        (
            P::Decimal("-12345678901234567890123456789012345678.90".into()),
            "numeric",
            "-12345678901234567890123456789012345678.90",
        ),
        (P::Decimal("1e3".into()), "numeric", "1000"),
        (P::Decimal("NaN".into()), "numeric", "NaN"),
        (P::Jsonb(b"{\"a\":1}".to_vec()), "json", "{\"a\":1}"),
        (
            P::Interval(Interval { micros: 1, days: 2, months: 14 }),
            "interval",
            "1 year 2 mons 2 days 00:00:00.000001",
        ),
        (P::ArrayStr(vec![Some("a".into()), None]), "text[]", "{a,NULL}"),
        (
            P::RangeInt32((
                Some((1, RangeBoundKind::Exclusive)),
                Some((5, RangeBoundKind::Inclusive)),
            )),
            "int4range",
            "[2,6)",
        ),
        (P::RangeInt64((None, None)), "int8range", "(,)"),
        (
            P::RangeDecimal((
                Some(("1".into(), RangeBoundKind::Exclusive)),
                Some(("1".into(), RangeBoundKind::Exclusive)),
            )),
            "numrange",
            "empty",
        ),
    ] {
        lease.execute("SET timezone = 'UTC'", &[]).await.unwrap();
        let statement = format!("SELECT ($1::{cast})::text");
        let value = lease.value(&statement, &[parameter]).await.unwrap();
        assert!(matches!(&value, DbValue::Str(text) if text == printed), "{value:?}: {printed}");
    }
}

#[tokio::test]
async fn what_the_interface_has_no_name_for_comes_as_bytes() {
    let (_service, _, lease) = connected().await;
    lease.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')", &[]).await.unwrap();
    for (sql, name, bytes) in [
        ("'happy'::mood", "mood", &b"happy"[..]),
        ("'{}'::json", "json", b"{}"),
        ("'a'::name", "name", b"a"),
    ] {
        let set = lease.query(&format!("SELECT {sql}"), &[]).await.unwrap();
        assert!(matches!(&set.columns[0].data_type, DbDataType::Other(other) if other == name));
        assert!(matches!(&set.rows[0][0], DbValue::Unsupported(raw) if raw == bytes), "{sql}");
    }
}

#[tokio::test]
async fn values_without_representation_are_errors_and_the_connection_goes_on() {
    let (_service, _, lease) = connected().await;
    for sql in [
        "'infinity'::date",
        "'-infinity'::timestamp",
        "'infinity'::timestamptz",
        "'{{1,2},{3,4}}'::int4[]",
    ] {
        let error = lease.query(&format!("SELECT {sql} AS it"), &[]).await.unwrap_err();
        assert!(
            matches!(&error, Error::ValueConversionFailed(text) if text.contains("`it`")),
            "{error:?}"
        );
    }
    let empty = lease.value("SELECT 'empty'::int4range", &[]).await.unwrap();
    let none = Some((0, RangeBoundKind::Exclusive));
    same(empty, DbValue::RangeInt32((none, none))).unwrap();
    let seconds = lease.value("SELECT '1969-12-31 23:59:59.5+00'::timestamptz", &[]).await.unwrap();
    assert!(matches!(seconds, DbValue::Timestamp(-1)));
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_bad_and_never_repeated() {
    let (_service, _, lease) = connected().await;
    let secret = || "secret".to_owned();
    for (sql, parameter) in [
        ("int8", P::Int32(1)),
        ("int4", P::Str(secret())),
        ("timestamptz", P::Datetime((2024, 1, 1, 0, 0, 0, 0))),
        ("json", P::Str(secret())),
        ("uuid", P::Uuid(secret())),
        ("numeric", P::Decimal(secret())),
        ("numeric[]", P::ArrayDecimal(vec![Some(secret())])),
        ("date", P::Date((2023, 2, 29))),
        ("date", P::Date((i32::MAX, 1, 1))),
        ("time", P::Time((24, 0, 0, 1_000))),
        ("timestamp", P::Datetime((i32::MIN, 1, 1, 0, 0, 0, 0))),
        ("timestamptz", P::Timestamp(i64::MAX)),
        ("timestamptz", P::Timestamp(i64::MIN)),
    ] {
        let error = lease.query(&format!("SELECT $1::{sql}"), &[parameter]).await.unwrap_err();
        let Error::BadParameter(text) = error else { panic!("{error:?}") };
        assert!(text.starts_with("parameter $1 is ") && !text.contains("secret"), "{text}");
    }
    let error = lease.execute("SELECT $1::int4", &[]).await.unwrap_err();
    assert!(matches!(error, Error::BadParameter(_)));
    assert!(lease.value("SELECT 1", &[]).await.is_ok());
}

#[tokio::test]
async fn an_empty_result_has_its_columns() {
    let (_service, _, lease) = connected().await;
    let set = lease.query("SELECT 1 AS a, 'x'::text AS b WHERE false", &[]).await.unwrap();
    let names: Vec<&str> = set.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((names, set.rows.len()), (vec!["a", "b"], 0));
}

#[tokio::test]
async fn domains_take_what_their_base_takes() {
    let (_service, _, lease) = connected().await;
    lease.execute("CREATE DOMAIN short AS text CHECK (length(VALUE) < 4)", &[]).await.unwrap();
    let value = lease.value("SELECT $1::short", &[P::Str("abc".into())]).await.unwrap();
    assert!(matches!(value, DbValue::Str(text) if text == "abc"));
}
