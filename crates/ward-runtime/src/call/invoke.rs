//! One call, from its arguments to its answer. It begins on the caller's own task, in a warm
//! instance, and most calls end there: handing them to another task and the answer back would cost
//! more than they do. Where there is no such instance a task of its own makes one, because wasmtime
//! begins no store's event loop inside another's. What has to wait, for the outside or because it
//! computes for long, goes on in a task of its own, too, which nothing that happens to the caller
//! can end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::field::display;
use wasmtime::component::Val;

use super::worker::{Invocation, Worker};
use super::{CallError, Callee};
use crate::admission::Permit;
use crate::request_id::RequestId;

type Answer = Result<Vec<Val>, CallError>;

/// Makes a call, which has a place among the calls and has to end by `until`.
pub(super) async fn run(
    callee: &Arc<Callee>,
    invocation: Invocation,
    (until, permit): (Instant, Permit),
) -> Answer {
    let request_id = invocation.context.request_id;
    let Some(mut worker) = callee.take() else {
        let (call, answer) = Call::new(until, request_id, permit);
        tokio::spawn(begin(callee.clone(), invocation, call));
        return answer.await.unwrap_or_else(gone);
    };
    worker.give(invocation);
    // A waker is not needed: what is still going on after this is polled again at once.
    let progress = worker.advance(&mut Context::from_waker(Waker::noop()));
    let progress = progress.map_err(|error| failed(callee, request_id, &error))?;
    match progress.results {
        Some(results) if progress.idle => {
            drop(callee.give_back(worker));
            Ok(results)
        }
        Some(results) => {
            tokio::spawn(go_on(callee.clone(), worker, None));
            Ok(results)
        }
        None => {
            let (call, answer) = Call::new(until, request_id, permit);
            tokio::spawn(go_on(callee.clone(), worker, Some(call)));
            answer.await.unwrap_or_else(gone)
        }
    }
}

/// What a call has come to whose task has ended without an answer: the process is about to stop.
fn gone(_: oneshot::error::RecvError) -> Answer {
    Err(CallError::Trapped("its instance is gone".to_owned()))
}

/// A call that somebody waits for.
struct Call {
    until: Instant,
    request_id: Option<RequestId>,
    reply: oneshot::Sender<Answer>,
    _permit: Permit,
}

impl Call {
    fn new(
        until: Instant,
        request_id: Option<RequestId>,
        permit: Permit,
    ) -> (Self, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        (Self { until, request_id, reply, _permit: permit }, answer)
    }

    fn answer(self, answer: Answer) {
        // Nobody is there any more where the caller has come to an end.
        let _ = self.reply.send(answer);
    }
}

/// Makes an instance for a call.
async fn begin(callee: Arc<Callee>, invocation: Invocation, call: Call) {
    match timeout_at(call.until, callee.make()).await {
        Ok(Ok(mut worker)) => {
            worker.give(invocation);
            go_on(callee, worker, Some(call)).await;
        }
        Ok(Err(error)) => call.answer(Err(error)),
        Err(_) => call.answer(Err(CallError::Deadline)),
    }
}

/// Drives an instance through the rest of a call, and through what the guest still has to do when
/// it has answered.
async fn go_on(callee: Arc<Callee>, mut worker: Worker, mut call: Option<Call>) {
    let rest = callee.component.settings.deadline;
    let mut until = call.as_ref().map_or_else(|| Instant::now() + rest, |call| call.until);
    let mut timer = pin!(sleep_until(until));
    let end = poll_fn(|cx| {
        // The clock is asked before the guest: one that computes without end would otherwise
        // have one more turn, and with many of them the last one's turn comes late.
        if until <= Instant::now() {
            return Poll::Ready(Err(End::Late));
        }
        match worker.advance(cx) {
            Err(error) => return Poll::Ready(Err(End::Failed(error))),
            Ok(progress) if progress.idle => return Poll::Ready(Ok(progress.results)),
            Ok(progress) => {
                if let Some(results) = progress.results
                    && let Some(call) = call.take()
                {
                    call.answer(Ok(results));
                    until = Instant::now() + rest;
                    timer.as_mut().reset(until);
                }
            }
        }
        timer.as_mut().poll(cx).map(|()| Err(End::Late))
    })
    .await;
    let mut spent = None;
    let answer = match end {
        Ok(results) => {
            // The instance is there again before the answer goes out, so that a caller who calls
            // again at once finds it.
            spent = callee.give_back(worker);
            Ok(results.unwrap_or_default())
        }
        Err(end) => {
            drop(worker);
            let request_id = call.as_ref().and_then(|call| call.request_id);
            Err(match end {
                End::Late => late(&callee, request_id),
                End::Failed(error) => failed(&callee, request_id, &error),
            })
        }
    };
    if let Some(call) = call {
        call.answer(answer);
    }
    drop(spent);
}

/// How an instance ended that should not have.
enum End {
    Late,
    Failed(wasmtime::Error),
}

fn late(callee: &Callee, request_id: Option<RequestId>) -> CallError {
    let (component, request_id) = (&*callee.component.id, request_id.map(display));
    tracing::warn!(component, request_id, "an instance was ended at its deadline");
    CallError::Deadline
}

fn failed(callee: &Callee, id: Option<RequestId>, error: &wasmtime::Error) -> CallError {
    let (component, request_id) = (&*callee.component.id, id.map(display));
    // The first cause alone: a backtrace is for the one who looks for it.
    let cause = error.root_cause().to_string();
    tracing::error!(component, request_id, cause, "an instance ended");
    tracing::debug!(component, "{error:?}");
    CallError::Trapped(cause)
}
