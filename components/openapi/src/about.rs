//! What cannot be read off the table or a reader: what an operation is for, in words, and the
//! headers and refusals that are its own.

use kit::describe::{Asked, Kind};
use serde_json::Value;

/// What a component says of one of its operations.
#[derive(Debug, Default)]
pub struct About {
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    pub(crate) asked: Vec<Asked>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) headers: Vec<Parameter>,
    pub(crate) refusals: Vec<u16>,
    pub(crate) tagged: bool,
    pub(crate) conditional: bool,
    pub(crate) demanding: bool,
    pub(crate) paged: bool,
    pub(crate) own_token: bool,
}

/// A parameter of a query, or a header.
#[derive(Debug)]
pub struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) schema: Value,
    pub(crate) required: bool,
    pub(crate) deprecated: bool,
    pub(crate) example: Option<Value>,
}

impl Parameter {
    /// A parameter that may be left out.
    pub fn new(name: &'static str, description: &'static str, schema: Value) -> Self {
        Self { name, description, schema, required: false, deprecated: false, example: None }
    }

    /// Says that it has to be there.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Says that there is a better way.
    #[must_use]
    pub fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    /// Adds a value to try.
    #[must_use]
    pub fn example(mut self, example: Value) -> Self {
        self.example = Some(example);
        self
    }
}

impl About {
    /// What it does, in a few words and in sentences.
    pub fn new(summary: &'static str, description: &'static str) -> Self {
        Self { summary, description, ..Self::default() }
    }

    /// Its query: what the reader asks for, and a word on each but `limit` and `after`.
    #[must_use]
    pub fn query(mut self, asked: Vec<Asked>, parameters: Vec<Parameter>) -> Self {
        let is_parameter = |one: &Asked| one.kind == Kind::Parameter;
        self.asked = asked.into_iter().filter(is_parameter).collect();
        self.parameters = parameters;
        self
    }

    /// A header that it reads.
    #[must_use]
    pub fn header(mut self, header: Parameter) -> Self {
        self.headers.push(header);
        self
    }

    /// What it answers besides what it was asked for, beyond what every operation of its kind does.
    #[must_use]
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }

    /// It answers with an entity tag; a GET with 304 to whoever names it.
    #[must_use]
    pub fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }

    /// It changes something if that has, or has not, a version that the client names.
    #[must_use]
    pub fn conditional(mut self) -> Self {
        self.conditional = true;
        self
    }

    /// It is conditional, and wants the version to be named.
    #[must_use]
    pub fn demanding(mut self) -> Self {
        self.demanding = true;
        self.conditional()
    }

    /// It answers with a page, and links to the next one.
    #[must_use]
    pub fn paged(mut self) -> Self {
        self.paged = true;
        self
    }

    /// It is open, and is about the token that comes along.
    #[must_use]
    pub fn own_token(mut self) -> Self {
        self.own_token = true;
        self
    }
}
