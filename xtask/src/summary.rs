//! The sum of many `test result:` lines, in the form of one: `cargo test` ends with the result of
//! its last binary only.

use std::time::Duration;

/// Passed, failed and ignored tests of several binaries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    passed: u64,
    failed: u64,
    ignored: u64,
    binaries: u64,
}

impl Summary {
    /// Takes in one line of `cargo test`'s output; lines that are no results count for nothing.
    pub(crate) fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| -> u64 {
            let part = counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
            part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
        self.ignored += count("ignored");
        self.binaries += 1;
    }

    /// The sum as one line.
    pub(crate) fn line(&self, success: bool, took: Duration) -> String {
        format!(
            "test result: {}. {} passed; {} failed; {} ignored; {} test binaries; finished in {}s",
            if success { "ok" } else { "FAILED" },
            self.passed,
            self.failed,
            self.ignored,
            self.binaries,
            took.as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Summary;

    #[test]
    fn results_add_up() {
        let mut summary = Summary::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; finished in 0.01s",
            "test result: FAILED. 11 passed; 1 failed; 2 ignored; 0 measured; finished in 9s",
        ] {
            summary.add(line);
        }
        assert_eq!(
            summary.line(false, Duration::from_secs(75)),
            "test result: FAILED. 14 passed; 1 failed; 2 ignored; 2 test binaries; finished in 75s"
        );
    }
}
