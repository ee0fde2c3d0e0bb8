//! What may be repeated of a server's error. Its message can quote a value out of a row, so only
//! those of kinds that never do are passed on, and of the others the code alone; `detail`, which
//! quotes them as a habit, never is.

use std::error::Error;

/// SQLSTATE classes whose messages name objects and rules, never values: connections, unsupported
/// features, constraints, authorisation, catalogues, syntax, resources, state, intervention.
const CLASSES_SAID: [&str; 14] =
    ["08", "0A", "23", "28", "2B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58"];

/// The SQLSTATE, and the message where it cannot quote values; what the library says of a failure
/// that the server said nothing about.
#[must_use]
pub fn words(error: &tokio_postgres::Error) -> String {
    let Some(db) = error.as_db_error() else { return chain(error) };
    let code = db.code().code();
    match CLASSES_SAID.iter().any(|class| code.starts_with(class)) {
        true => format!("{} ({code})", db.message()),
        false => format!("SQLSTATE {code}"),
    }
}

/// An error and its causes: for connections the cause has the news.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(&format!(": {part}"));
        }
        cause = error.source();
    }
    text
}
