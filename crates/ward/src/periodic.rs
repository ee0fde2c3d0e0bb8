//! Functions of components that the host calls from time to time, one task each. A call starts so
//! long after the one before has ended, never beside it; after a failure the pause grows. No call
//! starts once a stop has been asked for. What a function answers is looked at for being an error,
//! and never logged.

use std::time::Duration;

use tokio::task::JoinSet;
use ward_manifest::App;
use ward_runtime::{CallContext, CallError, Function, RequestId, Runtime};
use ward_wire::Value;

use crate::failure::Failure;
use crate::signals::Stop;

/// The longest pause after failures, where the ordinary one is shorter.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The periodic calls of an application, found in its components.
pub(crate) struct Periodic {
    calls: Vec<(Function, Duration)>,
}

impl Periodic {
    /// Looks the functions up, so that a misspelt one is told before anything is served.
    pub(crate) fn find(app: &App, runtime: &Runtime) -> Result<Self, Failure> {
        let mut calls = Vec::new();
        for component in app.components.values() {
            for entry in &component.settings.periodic {
                let found = runtime.function(&component.id, &entry.interface, &entry.function);
                let named = format!(
                    "component {}: periodic names `{}` of `{}`",
                    component.id, entry.function, entry.interface
                );
                let Some(function) = found else {
                    return Err(Failure::new(format!("{named}, which it does not export")));
                };
                if function.parameters() > 0 {
                    let help = "a function that is called from time to time takes no parameters";
                    return Err(Failure::new(format!("{named}, which wants to be told something"))
                        .help(help));
                }
                calls.push((function, entry.every));
            }
        }
        Ok(Self { calls })
    }

    /// Starts them. What is returned keeps them going, and ends them when it is dropped.
    pub(crate) fn start(self, stop: &Stop) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for (function, every) in self.calls {
            tasks.spawn(again_and_again(function, every, stop.clone()));
        }
        tasks
    }
}

async fn again_and_again(function: Function, every: Duration, stop: Stop) {
    let mut failures = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.clone().requested() => return,
            () = tokio::time::sleep(pause(every, failures)) => {}
        }
        let request_id = RequestId::new();
        let context = CallContext { request_id: request_id.text(), ..Default::default() };
        let outcome = outcome(function.call(Vec::new(), &context).await);
        failures = if outcome.is_ok() { 0 } else { failures + 1 };
        if let Err(error) = outcome {
            let (component, interface) = (function.component(), function.interface());
            let function = function.name();
            tracing::warn!(
                component,
                interface,
                function,
                %request_id,
                failures,
                error,
                "a periodic call failed"
            );
        }
    }
}

/// What went wrong, in words of ours.
fn outcome(answer: Result<Option<Value>, CallError>) -> Result<(), String> {
    match answer {
        Ok(Some(Value::Result(Err(_)))) => Err("it answered with an error".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Twice as long after each failure, up to a limit.
fn pause(every: Duration, failures: u32) -> Duration {
    let grown = every.saturating_mul(2_u32.saturating_pow(failures));
    grown.min(PAUSE_MAX.max(every))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_failures_up_to_their_limit() {
        let check = |every, failures, expected| {
            let pause = pause(Duration::from_secs(every), failures);
            assert_eq!(pause, Duration::from_secs(expected), "{every} {failures}");
        };
        check(2, 0, 2);
        check(2, 1, 4);
        check(2, 4, 32);
        check(2, 5, 60);
        check(2, 1000, 60);
        check(300, 3, 300);
    }

    #[test]
    fn an_error_is_told_from_an_answer_and_never_quoted() {
        let error = Value::Result(Err(Some(Box::new(Value::String("secret".to_owned())))));
        assert_eq!(outcome(Ok(Some(error))), Err("it answered with an error".to_owned()));
        assert_eq!(outcome(Ok(Some(Value::Result(Ok(None))))), Ok(()));
        assert_eq!(outcome(Ok(None)), Ok(()));
        assert!(outcome(Err(CallError::Deadline)).is_err());
    }
}
