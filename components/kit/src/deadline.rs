//! Waiting for somebody else, and not for ever.
//!
//! Whoever is waited for may still do what it was asked to: a deadline says how long the answer is
//! of interest, and no more. So what is called has to be safe to call again.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use spin_sdk::time;

/// What `work` comes to, or `None` once `limit` has passed; then the work is dropped, which cancels
/// a call that is on its way.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    first(work, time::sleep(limit)).await
}

/// What `work` comes to, unless `alarm` is done before it. Of two that are ready, the work counts.
async fn first<T>(work: impl Future<Output = T>, alarm: impl Future<Output = ()>) -> Option<T> {
    let (mut work, mut alarm) = (pin!(work), pin!(alarm));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => alarm.as_mut().poll(context).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use std::task::{Context, Waker};

    fn check<T: PartialEq + std::fmt::Debug>(
        race: impl Future<Output = Option<T>>,
        expected: Poll<Option<T>>,
    ) {
        let found = pin!(race).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(found, expected);
    }

    #[test]
    fn whoever_is_ready_first() {
        check(first(ready(7), pending()), Poll::Ready(Some(7)));
        check(first(ready(7), ready(())), Poll::Ready(Some(7)));
        check(first(pending::<u8>(), ready(())), Poll::Ready(None));
        check(first(pending::<u8>(), pending()), Poll::Pending);
    }
}
