//! A function as an rpc: bytes → arguments, what was returned → bytes or a failure.

use std::sync::Arc;

use crate::decode::decode;
use crate::encode::encode;
use crate::failure::Errors;
use crate::plan::MessagePlan;
use crate::{DecodeError, Failure, Value};

/// A function as an rpc.
#[derive(Debug, Clone)]
pub struct Method {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) function: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) request: Arc<MessagePlan>,
    /// Whether the response carries a value.
    pub(crate) payload: bool,
    pub(crate) response: Arc<MessagePlan>,
    /// `None` for a function that returns no `result`.
    pub(crate) errors: Option<Errors>,
}

/// Where a parameter comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parameter {
    /// From the trigger, by its index in [`crate::Naming::ambient`].
    Ambient(usize),
    /// The whole message.
    Message,
    /// The message's next field.
    Field,
}

/// One argument of a call, in order of the function's parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// From the message.
    Value(Value),
    /// Supplied by the trigger: the record type with this index in [`crate::Naming::ambient`].
    Ambient(usize),
}

impl Method {
    /// The rpc's name: `PlaceOrder`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path it is called by over HTTP/2: `/OrderService/PlaceOrder`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The function's name in WIT: `place-order`.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The request's name with its package.
    pub fn request(&self) -> &str {
        &self.request.full_name
    }

    /// The response's name with its package.
    pub fn response(&self) -> &str {
        &self.response.full_name
    }

    /// The names of the error cases that [`Failure::Case`] may have, in order of declaration; none
    /// for a function that cannot fail.
    pub fn error_cases(&self) -> Vec<&str> {
        self.errors.as_ref().map(Errors::names).unwrap_or_default()
    }

    /// Reads a request into the function's arguments.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<Argument>, DecodeError> {
        let mut message = Some(decode(&self.request, bytes)?);
        let mut fields = Vec::new().into_iter();
        if self.parameters.iter().any(|parameter| matches!(parameter, Parameter::Field))
            && let Some(Value::Record(values)) = message.take()
        {
            fields = values.into_iter();
        }
        let argument = |parameter: &Parameter| match parameter {
            Parameter::Ambient(index) => Some(Argument::Ambient(*index)),
            Parameter::Message => message.take().map(Argument::Value),
            Parameter::Field => fields.next().map(Argument::Value),
        };
        Ok(self.parameters.iter().filter_map(argument).collect())
    }

    /// Writes what the function returned behind what `out` holds. An `err` of the function's
    /// `result` is a [`Failure::Case`], and nothing is written then.
    pub fn encode(&self, result: Option<&Value>, out: &mut Vec<u8>) -> Result<(), Failure> {
        let answer = match (&self.errors, result) {
            (Some(_), Some(Value::Result(Ok(answer)))) => answer.as_deref(),
            (Some(errors), Some(Value::Result(Err(error)))) => {
                return Err(errors.failure(error.as_deref()));
            }
            (Some(_), _) => return Err(Failure::Mismatch),
            (None, answer) => answer,
        };
        match (self.payload, answer) {
            (true, Some(answer)) => {
                encode(&self.response, answer, out).map_err(|_| Failure::Mismatch)
            }
            (false, None) => Ok(()),
            _ => Err(Failure::Mismatch),
        }
    }
}
