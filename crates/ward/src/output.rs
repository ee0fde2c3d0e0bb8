//! Standard output: the one place that writes to it, so that a closed pipe (`ward … | head`) ends
//! a command quietly instead of with a panic.

use std::io::{self, Write};

use crate::failure::Failure;

/// Writes text to standard output. A reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Failure::because("writing to standard output")),
    }
}
