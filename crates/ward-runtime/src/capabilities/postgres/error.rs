//! Failures as the guest is told them. The database's own words (message, detail, constraint) go to
//! the guest, which has the data anyway, and nowhere else: no function here logs.

use tokio_postgres::error::SqlState;
use ward_postgres::DialError;

use crate::capabilities::bindings::postgres::{DbError, Error, QueryError};

/// A failed statement.
pub(super) fn query_failed(error: &tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(error) => Error::QueryFailed(QueryError::DbError(db_error(error))),
        None if error.is_closed() => query_text("the database closed the connection"),
        None => query_text(&error.to_string()),
    }
}

/// A failed statement the database said nothing about.
pub(super) fn query_text(text: &str) -> Error {
    Error::QueryFailed(QueryError::Text(text.to_owned()))
}

/// A connection that could not be made.
pub(super) fn connection_failed(error: &DialError) -> Error {
    Error::ConnectionFailed(match error.help() {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    })
}

/// Whether a cached statement no longer fits its tables, or is gone. It failed before it ran.
pub(super) fn is_stale_statement(error: &tokio_postgres::Error) -> bool {
    let Some(error) = error.as_db_error() else { return false };
    let code = error.code();
    // 0A000 has many meanings; only the plan check reports it from this routine.
    (*code == SqlState::FEATURE_NOT_SUPPORTED && error.routine() == Some("RevalidateCachedQuery"))
        || *code == SqlState::INVALID_SQL_STATEMENT_NAME
}

fn db_error(error: &tokio_postgres::error::DbError) -> DbError {
    let line = error.line().map(|line| line.to_string());
    let extras = [
        ("column", error.column()),
        ("constraint", error.constraint()),
        ("routine", error.routine()),
        ("hint", error.hint()),
        ("table", error.table()),
        ("datatype", error.datatype()),
        ("schema", error.schema()),
        ("file", error.file()),
        ("line", line.as_deref()),
        ("where_", error.where_()),
    ];
    DbError {
        // Without the detail, which repeats the offending values: guests print this text.
        as_text: format!("{}: {}", error.severity(), error.message()),
        severity: error.severity().to_owned(),
        code: error.code().code().to_owned(),
        message: error.message().to_owned(),
        detail: error.detail().map(str::to_owned),
        extras: extras
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
            .collect(),
    }
}
