//! What operators are told of releases, as it is written in JSON, and why they are refused.

use serde::Serialize;

use super::counts::Tally;
use crate::failure::Failure;

/// Why nothing was replaced. The sentences are for operators.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no such component, or nothing to go back to.
    Unknown(String),
    /// What was asked for is none.
    Malformed(String),
    /// Not while a trial goes on.
    Busy(String),
    /// It cannot serve in the place of the other.
    Unfit(String),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let mut text = failure.messages().join("; ");
        if let Some(advice) = failure.advice() {
            text.push_str(&format!(" ({advice})"));
        }
        Self::Unfit(text)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unknown(text) | Self::Malformed(text) | Self::Busy(text) | Self::Unfit(text)) =
            self;
        f.write_str(text)
    }
}

/// What was replaced, or is on trial.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    pub(crate) component: String,
    /// The digest of the file that serves now, or is on trial.
    pub(crate) digest: String,
    /// That of the one before, which serves the rest of what begins.
    pub(crate) before: String,
    /// How much of what begins is answered by the new one.
    pub(crate) percent: u8,
    /// The components that were made anew: those that contain the file.
    pub(crate) replaced: Vec<String>,
    pub(crate) took_ms: f64,
}

impl Change {
    /// Whether another file serves than before.
    pub(crate) fn is_any(&self) -> bool {
        self.digest != self.before
    }
}

/// A component's files.
#[derive(Debug, Serialize)]
pub(crate) struct Revisions {
    pub(crate) component: String,
    pub(crate) revisions: Vec<ShownRevision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trial: Option<ShownTrial>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ShownRevision {
    pub(crate) digest: String,
    /// RFC 3339, UTC.
    pub(crate) since: String,
    pub(crate) serving: bool,
    /// It was taken back.
    pub(crate) withdrawn: bool,
}

/// How a candidate does.
#[derive(Debug, Serialize)]
pub(crate) struct ShownTrial {
    pub(crate) digest: String,
    pub(crate) percent: u8,
    pub(crate) stable: ShownTally,
    pub(crate) candidate: ShownTally,
}

/// What came of requests, calls and batches.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownTally {
    requests: u64,
    failed: u64,
    p99_ms: f64,
}

impl From<Tally> for ShownTally {
    fn from(tally: Tally) -> Self {
        let p99_ms = tally.p99().as_secs_f64() * 1e3;
        Self { requests: tally.all(), failed: tally.failed, p99_ms }
    }
}
