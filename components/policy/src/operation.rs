//! What one line of the table says of an operation over HTTP.

/// One thing that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name, e.g. `patients.list`: the service's, and what it does.
    pub name: &'static str,
    /// The method it has.
    pub verb: Verb,
    /// The path, from the root, with `{name}` for a segment that holds an id.
    pub pattern: &'static str,
    /// Who may.
    pub scope: Scope,
}

/// The methods that operations have. HEAD comes with GET, and OPTIONS with every path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads, and changes nothing.
    Get,
    /// A GET that goes on for as long as the client listens. It has no HEAD: there would be nothing
    /// to say before there is something to stream.
    Watch,
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
    /// Whoever is known, whatever the role: what is about nobody but the caller.
    Known,
    /// Known callers who have this, e.g. `patient.read`.
    Needs(&'static str),
}

impl Verb {
    /// The method's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get | Self::Watch => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// The methods that are answered where this one is.
    #[must_use]
    pub const fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Get => &["GET", "HEAD"],
            Self::Watch => &["GET"],
            Self::Post => &["POST"],
            Self::Put => &["PUT"],
            Self::Delete => &["DELETE"],
        }
    }
}
