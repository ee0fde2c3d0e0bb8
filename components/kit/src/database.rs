//! PostgreSQL through `spin:postgres`: one connection per request, rows by column number, and
//! errors reduced to what may be told.
//!
//! What PostgreSQL says about an error can quote the very values it was given (`detail`, and the
//! text made of it). None of that leaves this file: a [`Fault`] keeps the SQLSTATE and the name of
//! a constraint, both of our own making. Statements follow the portability rules of Spin 4.1:
//! parameters cast in SQL, and no column of a type that only some hosts can read.

use chrono::{NaiveDate, NaiveDateTime};
use spin_sdk::pg::{Connection, DbValue, Decode, Error, ParameterValue, PgError, QueryError};
use spin_sdk::variables;

use crate::Problem;
use crate::etag::Expected;
use crate::problem::INTERNAL;

/// Seconds after which a client may try again when the database does not answer.
const RETRY_AFTER_SECONDS: u16 = 2;

/// Why a statement failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The database cannot be reached, is starting or stopping, has no room, or gave way to another
    /// transaction: the same request may succeed later.
    Unavailable(String),
    /// A row would have broken the unique constraint or index of this name.
    Duplicate(String),
    /// Anything else: a mistake of ours. Holds the SQLSTATE, or words that say where.
    Other(String),
}

impl Fault {
    /// What a log line may say of it: a SQLSTATE or our own words, never a value.
    pub fn cause(&self) -> &str {
        match self {
            Self::Duplicate(_) => "23505",
            Self::Unavailable(cause) | Self::Other(cause) => cause,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        match fault.is_passing() {
            true => Problem::unavailable(RETRY_AFTER_SECONDS),
            false => Problem::new(INTERNAL),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Decode(_) => Self::Other("decode".to_owned()),
            Error::PgError(error) => Self::from(error),
        }
    }
}

impl From<PgError> for Fault {
    fn from(error: PgError) -> Self {
        match error {
            PgError::ConnectionFailed(_) => Self::Unavailable("connection-failed".to_owned()),
            // Without an error of the server's there is only a connection that broke: values the
            // host cannot convert have variants of their own.
            PgError::QueryFailed(QueryError::Text(_)) => {
                Self::Unavailable("connection-lost".to_owned())
            }
            PgError::QueryFailed(QueryError::DbError(error)) => {
                let constraint = |(name, _): &&(String, String)| name == "constraint";
                let constraint = error.extras.iter().find(constraint).map(|(_, value)| value);
                from_sqlstate(error.code, constraint)
            }
            PgError::BadParameter(_) => Self::Other("bad-parameter".to_owned()),
            PgError::ValueConversionFailed(_) => Self::Other("value-conversion".to_owned()),
            PgError::Other(_) => Self::Other("other".to_owned()),
        }
    }
}

/// Classes 08, 53, 57P and 40 of SQLSTATE are about the moment, not about the statement.
fn from_sqlstate(code: String, constraint: Option<&String>) -> Fault {
    let passing = ["08", "53", "57P", "40"].iter().any(|class| code.starts_with(class));
    match constraint {
        Some(constraint) if code == "23505" => Fault::Duplicate(constraint.clone()),
        _ if passing => Fault::Unavailable(code),
        _ => Fault::Other(code),
    }
}

/// One connection, for the life of one request.
pub struct Database(Connection);

impl Database {
    /// Opens a connection to the address in the component's variable of this name. A service whose
    /// component may be composed into another one reads that one's variables, and so names its own
    /// after itself.
    pub async fn open(variable: &str) -> Result<Self, Fault> {
        let address = variables::get(variable).await;
        let address = address.map_err(|_| Fault::Other(format!("variable-{variable}")))?;
        Ok(Self(Connection::open(address).await?))
    }

    /// Runs a statement and returns its rows, after the server has said that it succeeded (for a
    /// statement outside a transaction: that it is committed).
    pub async fn query(&self, sql: &str, values: Vec<ParameterValue>) -> Result<Vec<Row>, Fault> {
        let mut result = self.0.query(sql, values).await?;
        let mut rows = Vec::new();
        while let Some(row) = result.rows().next().await {
            rows.push(Row(row));
        }
        result.result().await?;
        Ok(rows)
    }

    /// Runs a statement that has no rows to return.
    pub async fn execute(&self, sql: &str, values: Vec<ParameterValue>) -> Result<(), Fault> {
        self.0.execute(sql, values).await?;
        Ok(())
    }
}

/// One row, read by column number: names would be looked up again for each value, and are absent
/// from an empty result anyway.
#[derive(Debug)]
pub struct Row(Vec<DbValue>);

impl Row {
    /// The value of a column (from 0) as any type the SDK decodes.
    pub fn get<T: Decode>(&self, column: usize) -> Result<T, Fault> {
        let value = self.0.get(column).ok_or_else(|| mismatch(column))?;
        T::decode(value).map_err(|_| mismatch(column))
    }

    /// A `text` column.
    pub fn text(&self, column: usize) -> Result<String, Fault> {
        self.get(column)
    }

    /// A `bigint` column.
    pub fn bigint(&self, column: usize) -> Result<i64, Fault> {
        self.get(column)
    }

    /// A `uuid` column, in canonical form.
    pub fn uuid(&self, column: usize) -> Result<String, Fault> {
        match self.0.get(column) {
            Some(DbValue::Uuid(id)) => Ok(id.clone()),
            _ => Err(mismatch(column)),
        }
    }

    /// A `uuid` column that may be NULL.
    pub fn optional_uuid(&self, column: usize) -> Result<Option<String>, Fault> {
        match self.0.get(column) {
            Some(DbValue::DbNull) => Ok(None),
            _ => self.uuid(column).map(Some),
        }
    }

    /// A `date` column.
    pub fn date(&self, column: usize) -> Result<NaiveDate, Fault> {
        self.get(column)
    }

    /// A `timestamp` column, which is a moment in UTC if it was read `AT TIME ZONE 'UTC'`.
    pub fn instant(&self, column: usize) -> Result<NaiveDateTime, Fault> {
        self.get(column)
    }
}

/// The statement and the code that reads its rows disagree.
fn mismatch(column: usize) -> Fault {
    Fault::Other(format!("column-{column}"))
}

/// A parameter for `$n::uuid`.
pub fn uuid(id: &str) -> ParameterValue {
    ParameterValue::Uuid(id.to_owned())
}

/// A parameter for `$n::text`.
pub fn text(text: &str) -> ParameterValue {
    ParameterValue::Str(text.to_owned())
}

/// The versions a change expects, as parameters for two `$n::bigint[]`: those that will do, NULL
/// if any will, and those that will not.
pub fn versions(expected: &Expected) -> [ParameterValue; 2] {
    let among = expected.among.clone().map_or(ParameterValue::DbNull, ParameterValue::from);
    [among, ParameterValue::from(expected.besides.clone())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::UNAVAILABLE;
    use spin_sdk::pg::DbError;

    fn db_error(code: &str, constraint: Option<&str>) -> Fault {
        let constraint = constraint.map(|name| ("constraint".to_owned(), name.to_owned()));
        Fault::from(PgError::QueryFailed(QueryError::DbError(DbError {
            as_text: "secret".to_owned(),
            severity: "ERROR".to_owned(),
            code: code.to_owned(),
            message: "secret".to_owned(),
            detail: Some("Key (email)=(secret) already exists.".to_owned()),
            extras: constraint.into_iter().collect(),
        })))
    }

    #[test]
    fn errors_are_sorted_and_silent() {
        let check = |fault: Fault, expected: Fault| {
            assert!(!format!("{fault:?}").contains("secret"));
            assert_eq!(fault, expected);
        };
        check(db_error("23505", Some("key")), Fault::Duplicate("key".to_owned()));
        check(db_error("23514", Some("key")), Fault::Other("23514".to_owned()));
        check(db_error("42601", None), Fault::Other("42601".to_owned()));
        for passing in ["08006", "53300", "57P01", "57P03", "40001", "40P01"] {
            check(db_error(passing, None), Fault::Unavailable(passing.to_owned()));
        }
        let text = || "secret".to_owned();
        let check = |error: PgError, cause: &str, unavailable: bool| {
            let fault = Fault::from(error);
            assert_eq!(fault.cause(), cause);
            assert_eq!(Problem::from(&fault).kind() == UNAVAILABLE, unavailable);
        };
        check(PgError::ConnectionFailed(text()), "connection-failed", true);
        check(PgError::QueryFailed(QueryError::Text(text())), "connection-lost", true);
        check(PgError::BadParameter(text()), "bad-parameter", false);
        check(PgError::ValueConversionFailed(text()), "value-conversion", false);
        check(PgError::Other(text()), "other", false);
    }

    #[test]
    fn rows_are_read_by_position_and_type() {
        let row = Row(vec![
            DbValue::Str("x".to_owned()),
            DbValue::Int64(7),
            DbValue::Uuid("u".to_owned()),
            DbValue::Date((2024, 2, 29)),
            DbValue::Datetime((2024, 2, 29, 1, 2, 3, 4_000)),
            DbValue::DbNull,
        ]);
        assert_eq!(row.text(0), Ok("x".to_owned()));
        assert_eq!(row.bigint(1), Ok(7));
        assert_eq!(row.uuid(2), Ok("u".to_owned()));
        assert_eq!(row.optional_uuid(2), Ok(Some("u".to_owned())));
        assert_eq!(row.optional_uuid(5), Ok(None));
        assert_eq!(row.optional_uuid(0), Err(Fault::Other("column-0".to_owned())));
        assert_eq!(crate::date::format(row.date(3).unwrap()), "2024-02-29");
        let at = crate::date::format_instant(row.instant(4).unwrap());
        assert_eq!(at, "2024-02-29T01:02:03.000004Z");
        assert_eq!(row.get::<Option<String>>(5), Ok(None));
        assert_eq!(row.text(1), Err(Fault::Other("column-1".to_owned())));
        assert_eq!(row.text(9), Err(Fault::Other("column-9".to_owned())));
    }
}
