//! What one line of the table says of an operation.

use http::{Method, StatusCode};

use super::matching;

/// One thing that can be asked of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name, e.g. `patients.list`: for log lines, and one day for API documents.
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

/// The methods that operations have. HEAD comes with GET, and OPTIONS with every path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads, and changes nothing.
    Get,
    /// Adds, or does.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
}

/// Who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everybody, known or not.
    Public,
    /// Known callers who have this, e.g. `patients:read`.
    Needs(&'static str),
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

impl Verb {
    /// The method's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
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

    /// Whether the path (without a slash at its end) is one of this operation's.
    pub(super) fn is_at(&self, path: &str) -> bool {
        matching::matches(self.pattern, path)
    }

    /// Whether the operation answers this method: its own, and HEAD with GET. Streams have no HEAD:
    /// there would be nothing to say before there is something to stream.
    pub(super) fn answers_method(&self, method: &Method) -> bool {
        self.methods().any(|name| name == method.as_str())
    }

    pub(super) fn methods(&self) -> impl Iterator<Item = &'static str> + use<> {
        let streams = self.answers.iter().any(|it| matches!(it.content, Content::Events(_)));
        let head = (self.verb == Verb::Get && !streams).then_some("HEAD");
        [self.verb.as_str()].into_iter().chain(head)
    }

    /// Whether a request could be for either: one pattern with one method twice, or patterns that
    /// share a path without one being the other's special case.
    pub(super) const fn is_ambiguous_with(&self, other: &Self) -> bool {
        let (one, two) = (self.pattern.as_bytes(), other.pattern.as_bytes());
        if matching::equal(one, two) {
            return self.verb as u8 == other.verb as u8;
        }
        let nested = matching::covers(one, two) != matching::covers(two, one);
        matching::overlap(one, two) && !nested
    }
}
