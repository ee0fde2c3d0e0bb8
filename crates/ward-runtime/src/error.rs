//! What can go wrong when components are loaded and when they are called. Every text here is for
//! the log and the operator; what a caller of the application reads is decided by the triggers.

use thiserror::Error;
use wasmtime::PoolConcurrencyLimitError;

use crate::memory::NoRoom;

/// A component could not be made ready to serve.
#[derive(Debug, Error)]
#[error("component `{component}`: {problem}")]
pub struct LoadError {
    /// The component's id, or the application's name where no single component is at fault.
    pub component: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right, if there is something to say.
    pub help: Option<String>,
}

impl LoadError {
    pub(crate) fn new(component: &str, problem: impl std::fmt::Display) -> Self {
        Self { component: component.to_owned(), problem: problem.to_string(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A request was handed to a component and no response came back.
#[derive(Debug, Error)]
pub enum HandleError {
    /// No response within the component's deadline.
    #[error("no response within the deadline")]
    Deadline,
    /// The instance trapped; the text is for the log only.
    #[error("the component trapped: {0}")]
    Trapped(String),
    /// No instance could be made; the text is for the log only.
    #[error("the component could not be instantiated: {0}")]
    Instantiate(String),
    /// Every instance slot or all memory is in use; trying again later may succeed.
    #[error("all instance slots or all memory of guests is in use")]
    Overloaded,
    /// The component answered with a `wasi:http` error code in place of a response.
    #[error("the component answered with an error code: {0}")]
    Guest(String),
}

/// Whether an instance could not be made for want of a place, which others will give back.
pub(crate) fn is_overload(error: &wasmtime::Error) -> bool {
    error.is::<PoolConcurrencyLimitError>() || error.is::<NoRoom>()
}
