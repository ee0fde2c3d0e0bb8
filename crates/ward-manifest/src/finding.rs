//! What is wrong with a file: a finding names the place, shows the line, says what is wrong and
//! what would be right. Nothing secret may stand in one: every text that goes in is masked here.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong, or odd, in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, as it was named to Ward.
    pub file: PathBuf,
    /// Line, from 1; 0 when the finding is about the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 like `line`.
    pub column: usize,
    /// The line's text, with what may be secret masked; may be empty.
    pub excerpt: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right, where Ward knows.
    pub help: Option<String>,
}

impl Finding {
    /// A finding about a file as a whole.
    pub fn about_file(file: impl Into<PathBuf>, problem: impl Into<String>) -> Finding {
        Finding {
            file: file.into(),
            line: 0,
            column: 0,
            excerpt: String::new(),
            problem: mask_credentials(&problem.into()),
            help: None,
        }
    }

    /// The same finding with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Finding {
        self.help = Some(mask_credentials(&help.into()));
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.problem)?;
        if !self.excerpt.is_empty() {
            write!(f, "\n  {} | {}", self.line, self.excerpt)?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong, in the order of the file. Never empty when it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Findings {
        Findings(vec![finding])
    }
}

/// Replaces `user:password@` after each `://` with `…@`. The password ends at the last `@` before
/// the next quote or the end of the line, since people do not always encode what stands in it.
pub(crate) fn mask_credentials(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        masked.push_str(before);
        masked.push_str("://");
        let end = after.find(['"', '\'', '`', '\n']).unwrap_or(after.len());
        let (address, tail) = after.split_at(end);
        match address.rsplit_once('@') {
            Some((_, host)) => {
                masked.push_str("…@");
                masked.push_str(host);
                rest = tail;
            }
            None => rest = after,
        }
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::mask_credentials;

    fn check(text: &str, expected: &str) {
        assert_eq!(mask_credentials(text), expected);
    }

    #[test]
    fn credentials_in_addresses_are_masked() {
        check("db = \"postgres://u:p@ss@h:5432/d\"", "db = \"postgres://…@h:5432/d\"");
        check("a `http://x/` b `redis://:pw@y`", "a `http://x/` b `redis://…@y`");
        check("[\"http://a\", \"https://me:pw@b\"]", "[\"http://a\", \"https://…@b\"]");
        check("no address at all", "no address at all");
    }
}
