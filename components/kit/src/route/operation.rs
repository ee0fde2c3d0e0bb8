//! What one line of the table says of an operation.

use http::StatusCode;

use super::{Addressed, Scope, Verb, matching};

/// One thing that can be asked of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name, e.g. `patients.list`: for log lines and API documents.
    pub name: &'static str,
    /// The method it has.
    pub verb: Verb,
    /// The path, from the root, with `{name}` for a segment that holds an id.
    pub pattern: &'static str,
    /// What a caller must be allowed.
    pub scope: Scope,
    /// What it reads.
    pub takes: Takes,
    /// What it answers when it does what was asked.
    pub answers: &'static [Answers],
}

/// What an operation reads from the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: a body is not looked at.
    Nothing,
    /// A JSON document.
    Json {
        /// The name of its type.
        document: &'static str,
        /// The largest one read, in bytes.
        bytes_max: usize,
    },
}

/// One of the answers of an operation that succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    /// Its status code.
    pub status: StatusCode,
    /// What is in it.
    pub content: Content,
}

/// What an answer has for a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// None.
    Nothing,
    /// A JSON document, by the name of its type.
    Json(&'static str),
    /// Server-sent events for as long as the client listens, by the name of their type.
    Events(&'static str),
    /// A text of this media type.
    Text(&'static str),
}

impl Answers {
    /// An answer with a JSON document of this type.
    pub const fn json(status: StatusCode, document: &'static str) -> Self {
        Self { status, content: Content::Json(document) }
    }

    /// An answer without a body.
    pub const fn nothing(status: StatusCode) -> Self {
        Self { status, content: Content::Nothing }
    }

    /// An answer with a text of this media type.
    pub const fn text(media: &'static str) -> Self {
        Self { status: StatusCode::OK, content: Content::Text(media) }
    }

    /// A stream of events of this type.
    pub const fn events(document: &'static str) -> Self {
        Self { status: StatusCode::OK, content: Content::Events(document) }
    }
}

impl Takes {
    /// A document of this type, of at most [`crate::body::DOCUMENT_BYTES_MAX`].
    pub const fn json(document: &'static str) -> Self {
        Self::Json { document, bytes_max: crate::body::DOCUMENT_BYTES_MAX }
    }

    /// The most that is read, in bytes.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Json { bytes_max, .. } => bytes_max,
        }
    }
}

impl Operation {
    /// The first part of its name, which operations about one thing have in common.
    pub fn tag(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }

    /// What its pattern has for names of segments that hold something.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        matching::holes(self.pattern)
    }

    /// Whether a request could be for either: one pattern with one method twice, or patterns that
    /// share a path without one being the other's special case.
    pub(super) const fn is_ambiguous_with(&self, other: &Self) -> bool {
        let (one, two) = (self.pattern.as_bytes(), other.pattern.as_bytes());
        if matching::equal(one, two) {
            let verbs = (self.verb.as_str().as_bytes(), other.verb.as_str().as_bytes());
            return matching::equal(verbs.0, verbs.1);
        }
        let nested = matching::covers(one, two) != matching::covers(two, one);
        matching::overlap(one, two) && !nested
    }

    /// Whether it is a stream exactly if its verb says so.
    pub(super) const fn streams_as_it_says(&self) -> bool {
        let mut streams = false;
        let mut left = self.answers;
        while let [answer, rest @ ..] = left {
            streams = streams || matches!(answer.content, Content::Events(_));
            left = rest;
        }
        streams == matches!(self.verb, Verb::Watch)
    }
}

impl Addressed for Operation {
    fn verb(&self) -> Verb {
        self.verb
    }

    fn pattern(&self) -> &'static str {
        self.pattern
    }
}
