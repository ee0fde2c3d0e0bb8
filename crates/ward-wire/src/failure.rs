//! How a function's error type becomes a failure that a trigger can put into words of its protocol:
//! a case's name, a text, and what is wrong with which field. An error type that holds anything
//! else is refused when the service is derived, because the rest would be lost without a word.

use wit_parser::{Field, Resolve, Span, Type, TypeDefKind};

use crate::Value;
use crate::contract::definition;
use crate::naming::lower_snake;

/// Why there is no response to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The function answered with a case of its error type.
    #[error("the function answered with its error case `{name}`")]
    Case {
        /// The case as the contract names it: `not-found`. `unknown` for an error that is a plain
        /// string or nothing.
        name: String,
        /// Its text, for the caller.
        message: Option<String>,
        /// What is wrong with which field, for the caller.
        violations: Vec<Violation>,
    },
    /// The value is not what the function returns.
    #[error("{}", crate::Mismatch)]
    Mismatch,
}

/// One thing that is wrong with a request: the field, as the .proto file names it whatever the
/// function calls it, and a description of what is wrong.
pub type Violation = (String, String);

/// What a function without a `result`, or with a payload that says no more, is said to fail with.
const UNKNOWN: &str = "unknown";

const TYPE: &str = "its error has to be a variant, an enum or a string, so that there is a name \
                    for a status";
const PAYLOAD: &str = "the payload of an error case has to be a string, or a list of records of \
                       the strings `field` and `description`: nothing else has a place in a status";

/// Something in an error type that a status has no place for.
pub(crate) struct Unsayable {
    /// Empty for the type as a whole.
    pub(crate) case: String,
    pub(crate) span: Span,
    pub(crate) reason: &'static str,
}

/// A function's error type.
#[derive(Debug, Clone)]
pub(crate) enum Errors {
    /// No type, or a string.
    Plain(Payload),
    /// An enum: its cases' names.
    Enum(Vec<String>),
    /// A variant: its cases' names and payloads.
    Variant(Vec<(String, Payload)>),
}

/// What a case says beside its name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Payload {
    Nothing,
    Text,
    /// Records of two strings; the indices of `field` and `description`.
    Violations(usize, usize),
}

impl Errors {
    /// What an error type says, or everything in it that cannot be said.
    pub(crate) fn derive(
        resolve: &Resolve,
        error: Option<&Type>,
    ) -> Result<Errors, Vec<Unsayable>> {
        let Some(error) = error else { return Ok(Errors::Plain(Payload::Nothing)) };
        match definition(resolve, error) {
            (Type::String, _) => Ok(Errors::Plain(Payload::Text)),
            (_, Some(TypeDefKind::Enum(cases))) => {
                Ok(Errors::Enum(cases.cases.iter().map(|case| case.name.clone()).collect()))
            }
            (_, Some(TypeDefKind::Variant(variant))) => {
                let mut cases = Vec::new();
                let mut unsayable = Vec::new();
                for case in &variant.cases {
                    match payload(resolve, case.ty.as_ref()) {
                        Some(payload) => cases.push((case.name.clone(), payload)),
                        None => unsayable.push(Unsayable {
                            case: case.name.clone(),
                            span: case.span,
                            reason: PAYLOAD,
                        }),
                    }
                }
                if unsayable.is_empty() { Ok(Errors::Variant(cases)) } else { Err(unsayable) }
            }
            _ => {
                let (case, span) = (String::new(), Span::default());
                Err(vec![Unsayable { case, span, reason: TYPE }])
            }
        }
    }

    /// The names that a failure may have.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Errors::Plain(_) => vec![UNKNOWN],
            Errors::Enum(names) => names.iter().map(String::as_str).collect(),
            Errors::Variant(cases) => cases.iter().map(|(name, _)| name.as_str()).collect(),
        }
    }

    /// The failure that an `err` is.
    pub(crate) fn failure(&self, error: Option<&Value>) -> Failure {
        let case = match (self, error) {
            (Errors::Plain(payload), error) => case(UNKNOWN, *payload, error),
            (Errors::Enum(names), Some(Value::Enum(index))) => {
                names.get(*index as usize).and_then(|name| case(name, Payload::Nothing, None))
            }
            (Errors::Variant(cases), Some(Value::Variant(index, value))) => cases
                .get(*index as usize)
                .and_then(|(name, payload)| case(name, *payload, value.as_deref())),
            _ => None,
        };
        case.unwrap_or(Failure::Mismatch)
    }
}

fn payload(resolve: &Resolve, payload: Option<&Type>) -> Option<Payload> {
    let Some(payload) = payload else { return Some(Payload::Nothing) };
    let element = match definition(resolve, payload) {
        (Type::String, _) => return Some(Payload::Text),
        (_, Some(TypeDefKind::List(element))) => element,
        _ => return None,
    };
    let (_, Some(TypeDefKind::Record(record))) = definition(resolve, element) else { return None };
    let at = |name: &str| record.fields.iter().position(|field| field.name == name);
    let text = |field: &Field| definition(resolve, &field.ty).0 == Type::String;
    let texts = record.fields.len() == 2 && record.fields.iter().all(text);
    texts.then_some(Payload::Violations(at("field")?, at("description")?))
}

fn case(name: &str, payload: Payload, value: Option<&Value>) -> Option<Failure> {
    let (message, violations) = match (payload, value) {
        (Payload::Nothing, None) => (None, Vec::new()),
        (Payload::Text, Some(Value::String(text))) => (Some(text.clone()), Vec::new()),
        (Payload::Violations(field, description), Some(Value::List(list))) => {
            let violation = |value: &Value| match value {
                Value::Record(texts) => {
                    Some((lower_snake(&text(texts, field)?), text(texts, description)?))
                }
                _ => None,
            };
            (None, list.iter().map(violation).collect::<Option<_>>()?)
        }
        _ => return None,
    };
    Some(Failure::Case { name: name.to_owned(), message, violations })
}

fn text(values: &[Value], index: usize) -> Option<String> {
    match values.get(index) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    }
}
