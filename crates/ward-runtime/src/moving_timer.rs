//! A timer for an end that moves with every request. Arming a timer costs more than a
//! short call does; so it is armed once, goes off now and then, and looks whether the end has
//! come. Only an end that is nearer than the next look moves it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// The shortest time between two looks, so that one of zero does not spin.
const LOOK_MIN: Duration = Duration::from_millis(1);

/// Goes off at an end that is given anew each time it is polled.
pub(crate) struct MovingTimer {
    timer: Pin<Box<Sleep>>,
    look: Duration,
}

impl MovingTimer {
    /// A timer that looks at the end every `look`.
    pub(crate) fn new(look: Duration) -> Self {
        let look = look.max(LOOK_MIN);
        Self { timer: Box::pin(tokio::time::sleep(look)), look }
    }

    /// Whether `end` has come; if not, `cx` is woken when it may have.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, end: Instant) -> Poll<()> {
        if end < self.timer.deadline() {
            self.timer.as_mut().reset(end);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if now >= end {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end.min(now + self.look));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn wait(timer: &mut MovingTimer, end: Instant) {
        poll_fn(|cx| timer.poll(cx, end)).await;
        assert!(Instant::now() >= end);
    }

    #[tokio::test]
    async fn it_goes_off_at_an_end_before_and_after_its_next_look() {
        let mut timer = MovingTimer::new(Duration::from_secs(60));
        wait(&mut timer, Instant::now() + Duration::from_millis(5)).await;
        let mut timer = MovingTimer::new(Duration::from_millis(2));
        wait(&mut timer, Instant::now() + Duration::from_millis(9)).await;
        wait(&mut timer, Instant::now()).await;
    }
}
