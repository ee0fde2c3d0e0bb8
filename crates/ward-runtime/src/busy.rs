//! How many instances have something to do: a request, its body, or what goes on after its answer.
//! Who stops waits for the last of that, because it is where components write down what they did.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

/// A count of the instances that answer HTTP requests, of all releases.
#[derive(Debug, Clone, Default)]
pub(crate) struct Busy(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    instances: AtomicUsize,
    nobody: Notify,
}

impl Busy {
    /// An instance has something to do until what is returned is dropped.
    pub(crate) fn begin(&self) -> AtWork {
        self.0.instances.fetch_add(1, SeqCst);
        AtWork(self.clone())
    }

    /// Completes when no instance has anything to do.
    pub(crate) async fn rest(&self) {
        let mut nobody = std::pin::pin!(self.0.nobody.notified());
        // In this order: the last one may end in between.
        nobody.as_mut().enable();
        while self.0.instances.load(SeqCst) > 0 {
            nobody.as_mut().await;
            nobody.set(self.0.nobody.notified());
            nobody.as_mut().enable();
        }
    }
}

/// An instance that has something to do.
#[derive(Debug)]
pub(crate) struct AtWork(Busy);

impl Drop for AtWork {
    fn drop(&mut self) {
        let Self(Busy(count)) = self;
        if count.instances.fetch_sub(1, SeqCst) == 1 {
            count.nobody.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn there_is_rest_when_nobody_is_at_work() {
        let busy = Busy::default();
        assert!(busy.rest().now_or_never().is_some());
        let (one, two) = (busy.begin(), busy.begin());
        let mut rest = Box::pin(busy.rest());
        assert!(rest.as_mut().now_or_never().is_none());
        drop(one);
        assert!(rest.as_mut().now_or_never().is_none());
        drop(two);
        let three = busy.begin();
        assert!(rest.as_mut().now_or_never().is_none(), "somebody has begun again");
        drop(three);
        assert!(rest.now_or_never().is_some());
    }
}
