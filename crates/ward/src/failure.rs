//! How a command fails: `error: …` and, where there is something to do about it, `help: …`, each
//! on a line of its own on standard error. Messages name files, options and variables, never the
//! values of secrets.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use ward_embedded::EmbeddedError;
use ward_manifest::Findings;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is wrong; one or several.
    messages: Vec<String>,
    /// What to do about it.
    help: Option<String>,
}

impl Failure {
    /// A failure with one sentence.
    pub(crate) fn new(message: impl Display) -> Self {
        Self { messages: vec![message.to_string()], help: None }
    }

    /// A failure with a sentence for each finding.
    pub(crate) fn all(findings: impl IntoIterator<Item = impl Display>) -> Self {
        Self { messages: findings.into_iter().map(|f| f.to_string()).collect(), help: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// Adds advice if there is none yet.
    #[must_use]
    pub(crate) fn or_help(self, help: impl Display) -> Self {
        if self.help.is_some() { self } else { self.help(help) }
    }

    /// For `map_err`: what was being done, and the error.
    pub(crate) fn because<E: Display>(what: impl Display) -> impl FnOnce(E) -> Self {
        move |error| Self::new(format!("{what}: {error}"))
    }

    /// The sentences, for those who put them elsewhere than on standard error.
    pub(crate) fn messages(&self) -> &[String] {
        &self.messages
    }

    /// What to do about it, if anything.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Prints it; the result is the process's exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let colour = std::io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut text = String::new();
        for message in &self.messages {
            text.push_str(&line("error", "\x1b[1;31m", message, colour));
        }
        if let Some(help) = &self.help {
            text.push_str(&line("help", "\x1b[1;32m", help, colour));
        }
        // Nobody is left to be told when standard error is closed.
        drop(std::io::stderr().write_all(text.as_bytes()));
        ExitCode::FAILURE
    }
}

fn line(label: &str, style: &str, text: &str, colour: bool) -> String {
    match colour {
        true => format!("{style}{label}:\x1b[0m {text}\n"),
        false => format!("{label}: {text}\n"),
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Self {
        Self { messages: findings.0.iter().map(ToString::to_string).collect(), help: None }
    }
}

impl From<Vec<ward_grpc::OfferError>> for Failure {
    fn from(errors: Vec<ward_grpc::OfferError>) -> Self {
        Self { messages: errors.iter().map(ToString::to_string).collect(), help: None }
    }
}

impl From<EmbeddedError> for Failure {
    fn from(error: EmbeddedError) -> Self {
        Self { messages: vec![error.to_string()], help: error.help() }
    }
}

impl From<ward_runtime::LoadError> for Failure {
    fn from(error: ward_runtime::LoadError) -> Self {
        Self { messages: vec![error.to_string()], help: error.help }
    }
}
