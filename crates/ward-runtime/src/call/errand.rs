//! What a call needs done while no store's event loop is polled: wasmtime begins no loop inside
//! another, so a linked call that finds no instance cannot make one where it is. Whoever polls the
//! outermost store does it, on the same thread, as soon as that store waits: a task of its own
//! would be on another thread as a rule, and to go there and back costs more than an instance does.
//! Nothing in here knows what an errand does.
//!
//! Requests over HTTP are polled by wasmtime's own tasks, which ask for no errands: those of their
//! stores are tasks of their own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};

type Errand = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The most errands that are done between two polls; each may run a guest for a while, and the
/// store that waits has a deadline of its own. The others are tasks.
const TOGETHER_MAX: usize = 4;

thread_local! {
    /// The errands of the store that is polled on this thread; `None` where nobody asks for them.
    static ERRANDS: RefCell<Option<VecDeque<Errand>>> = const { RefCell::new(None) };
}

/// Has `errand` done: before the store is polled again that is polled now, as far as that goes
/// without waiting, and otherwise by a task of its own. Must be called on a tokio runtime.
pub(super) fn send(errand: impl Future<Output = ()> + Send + 'static) {
    let errand: Errand = Box::pin(errand);
    let left = ERRANDS.with_borrow_mut(|errands| match errands {
        Some(errands) => {
            errands.push_back(errand);
            None
        }
        None => Some(errand),
    });
    drop(left.map(tokio::spawn));
}

/// Polls a store by `poll`, and does its errands then. `true`: there were some, and what it waits
/// for may have come. Not for use inside another store's poll, unless that is under way by this
/// function as well, whose errands they are then.
pub(super) fn poll<T>(poll: impl FnOnce() -> T) -> (T, bool) {
    let Some(_open) = Open::begin() else { return (poll(), false) };
    let polled = poll();
    let begun = std::iter::from_fn(next).take(TOGETHER_MAX).map(begin).count();
    (polled, begun > 0)
}

/// What waits goes on in a task of its own.
fn begin(mut errand: Errand) {
    let mut cx = Context::from_waker(Waker::noop());
    // A panic is the end of one errand, as it would be in a task of its own.
    let begun = catch_unwind(AssertUnwindSafe(|| errand.as_mut().poll(&mut cx)));
    if begun.is_ok_and(|polled| polled.is_pending()) {
        tokio::spawn(errand);
    }
}

fn next() -> Option<Errand> {
    ERRANDS.with_borrow_mut(|errands| errands.as_mut()?.pop_front())
}

/// While it lives, errands of this thread are noted down.
struct Open;

impl Open {
    /// `None` where they are already.
    fn begin() -> Option<Self> {
        ERRANDS.with_borrow_mut(|errands| match errands {
            Some(_) => None,
            None => {
                *errands = Some(VecDeque::new());
                Some(Self)
            }
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Some are left where there were many, or where the store's poll panicked.
        let left = ERRANDS.take().unwrap_or_default();
        left.into_iter().for_each(|errand| drop(tokio::spawn(errand)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn errands_are_done_in_between_and_those_of_errands_too() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let note = |what: &'static str| {
            let done = done.clone();
            async move { done.lock().unwrap().push(what) }
        };
        let (inner, outer) = (note("of the errand"), note("errand"));
        let (polled, any) = poll(|| {
            send(async move {
                outer.await;
                send(inner);
            });
            let (_, nested) = poll(|| send(note("of a store inside")));
            assert!(!nested, "they are the outermost's");
            done.lock().unwrap().push("polled");
            7
        });
        assert_eq!((polled, any), (7, true));
        let done = done.lock().unwrap().clone();
        assert_eq!(done, ["polled", "errand", "of a store inside", "of the errand"]);
        assert_eq!(poll(|| ()), ((), false));
    }

    #[tokio::test]
    async fn what_waits_or_has_no_store_goes_on_by_itself() {
        let done = Arc::new(AtomicU32::new(0));
        let later = || {
            let done = done.clone();
            async move {
                tokio::task::yield_now().await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        };
        send(later());
        poll(|| send(later()));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            poll(|| {
                send(later());
                panic!("in the store");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(done.load(Ordering::Relaxed), 0);
        while done.load(Ordering::Relaxed) < 3 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn of_many_errands_most_are_tasks() {
        let done = Arc::new(AtomicU32::new(0));
        let ((), any) = poll(|| {
            for _ in 0..10 {
                let done = done.clone();
                send(async move {
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!((any, done.load(Ordering::Relaxed)), (true, 4));
        while done.load(Ordering::Relaxed) < 10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_ends_one_errand() {
        let done = Arc::new(AtomicU32::new(0));
        let other = done.clone();
        poll(|| {
            send(async move { other.store(1, Ordering::Relaxed) });
            send(async { panic!("in the errand") });
        });
        assert_eq!(done.load(Ordering::Relaxed), 1);
        assert_eq!(poll(|| ()), ((), false));
    }
}
