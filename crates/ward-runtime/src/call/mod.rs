//! Calls into components other than HTTP requests: from triggers, and over live links from other
//! components. A call has an instance for itself, out of a pool of warm ones. It begins on the task
//! of its caller, also where that is another instance, and has one of its own once it waits.
//! Start at [`Function::call`], then `Callee::call` and `invoke`.

mod callee;
mod invoke;
mod pool;
mod value;
mod worker;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use ward_wire::Value;

use crate::link;
use crate::release::Release;
use crate::request_id::RequestId;
pub(crate) use callee::Callee;
use callee::Exported;

/// On whose behalf a component works: read once, where a request, a call or an event arrives, and
/// handed on over links.
#[derive(Debug, Clone, Default)]
pub struct CallContext {
    /// When the caller stops waiting; the component's own deadline holds as well.
    pub until: Option<Instant>,
    /// The id of the request that the call belongs to, for log lines.
    pub request_id: Option<RequestId>,
    /// Against whose share of the processors it counts; `None` for what comes from no client.
    pub peer: Option<IpAddr>,
    /// What its work holds on to.
    pub held: Option<Held>,
    /// In which release it began, and so whom its links lead to: filled in by whoever is called
    /// first.
    pub release: Option<Arc<Release>>,
}

impl CallContext {
    /// The same where nobody waits for longer than `longest` from now, and until when that is.
    pub(crate) fn within(mut self, longest: Duration) -> (Self, Instant) {
        let own = Instant::now() + longest;
        let until = self.until.map_or(own, |until| until.min(own));
        self.until = Some(until);
        (self, until)
    }
}

/// What is kept for as long as somebody works for a request, whoever waits for that: dropped when
/// the last work is done.
pub type Held = Arc<dyn std::fmt::Debug + Send + Sync>;

/// Why a call came to nothing. The texts are for the log: none holds a value of the call, and none
/// is for the caller of the application.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallError {
    /// No answer within the deadline.
    #[error("no answer within the deadline")]
    Deadline,
    /// The instance trapped.
    #[error("the component trapped: {0}")]
    Trapped(String),
    /// No instance could be made, or the component does not have the function any more.
    #[error("the component could not be called: {0}")]
    Instantiate(String),
    /// Too many calls into the component at once, or every instance slot or all memory is in use.
    /// The same call may succeed later.
    #[error("too many calls at once, or no memory for one more")]
    Overloaded,
    /// The arguments are not of the types the function takes.
    #[error("the arguments do not fit the function: {0}")]
    Arguments(String),
}

/// A function that a component exports in an interface, in one release.
#[derive(Debug, Clone)]
pub struct Function {
    release: Arc<Release>,
    callee: Arc<Callee>,
    interface: Arc<str>,
    name: Arc<str>,
}

impl Function {
    /// The function `name` of `interface`, if the component has it.
    pub(crate) fn find(
        release: &Arc<Release>,
        component: &str,
        interface: &str,
        name: &str,
    ) -> Option<Self> {
        let callee = release.callee(component)?.clone();
        let interface: Arc<str> = callee.interface(interface)?.into();
        callee.function(&interface, name)?;
        Some(Self { release: release.clone(), callee, interface, name: name.into() })
    }

    /// The id of the component that has the function.
    pub fn component(&self) -> &str {
        self.callee.id()
    }

    /// Which build of the component answers, as [`crate::LoadedComponent`] names it.
    pub fn revision(&self) -> &Arc<str> {
        &self.callee.revision
    }

    /// Whether it takes and returns what another does.
    pub fn has_type_of(&self, other: &Function) -> bool {
        let both = self.exported().zip(other.exported());
        both.is_some_and(|(own, other)| link::same(&own.ty, &other.ty))
    }

    fn exported(&self) -> Option<&Exported> {
        self.callee.function(&self.interface, &self.name)
    }

    /// The interface, with its version.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The function's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls the function and waits for its result, which is `None` where it has none. Dropping the
    /// future does not end the call. Must be called on a tokio runtime.
    pub async fn call(
        &self,
        arguments: Vec<Value>,
        context: &CallContext,
    ) -> Result<Option<Value>, CallError> {
        let function = self.exported().ok_or_else(|| self.gone())?;
        let types = function.ty.params();
        if types.len() != arguments.len() {
            let problem = format!("it takes {}, and there are {}", types.len(), arguments.len());
            return Err(CallError::Arguments(problem));
        }
        let arguments = types
            .zip(arguments)
            .map(|((_, ty), argument)| value::lower(argument, &ty).map_err(CallError::Arguments))
            .collect::<Result<_, _>>()?;
        let context = CallContext { release: Some(self.release.clone()), ..context.clone() };
        let called = self.callee.call(function, arguments, context).await;
        let mut results = called?.into_iter();
        match (results.next(), function.ty.results().next()) {
            (Some(result), Some(ty)) => {
                let lifted = value::lift(result, &ty);
                lifted.map(Some).map_err(CallError::Trapped)
            }
            _ => Ok(None),
        }
    }

    fn gone(&self) -> CallError {
        CallError::Instantiate(format!(
            "`{}` does not export `{}` of `{}`",
            self.component(),
            self.name,
            self.interface
        ))
    }
}
