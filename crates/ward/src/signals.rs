//! SIGINT, SIGTERM and SIGHUP (the terminal was closed): the first asks for an orderly stop, a
//! second ends the process at once. A terminal that closes may send SIGHUP several times, so that
//! only asks; and signals that come together are one order: a Ctrl-C goes to all of a terminal's
//! processes, and a supervisor among them passes it on as its own.

use std::time::{Duration, Instant};

use futures::future::select_all;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::failure::Failure;

/// What the shell reports for a process that Ctrl-C ended.
const CODE_AT_ONCE: i32 = 130;

/// How long after the first a signal is still a part of it: longer than programs take to pass one
/// on, and shorter than anybody takes to make up their mind.
const TOGETHER: Duration = Duration::from_millis(300);

/// Knows whether a stop was asked for.
#[derive(Clone)]
pub(crate) struct Stop {
    requested: watch::Receiver<bool>,
}

impl Stop {
    /// Takes over the signals. Must be called on the runtime.
    pub(crate) fn on_signals() -> Result<Self, Failure> {
        // Asked first, because whoever takes a signal over no longer ignores it.
        let is_ours = !hangup_is_ignored();
        let take = |kind| signal(kind).map_err(Failure::because("taking over signals"));
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(take);
        let (mut pressing, mut hangup) = ([interrupt?, terminate?], hangup?);
        let (request, requested) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                () = any(&mut pressing) => {}
                _ = hangup.recv(), if is_ours => {}
            }
            request.send_replace(true);
            let first = Instant::now();
            loop {
                any(&mut pressing).await;
                if is_another(first.elapsed()) {
                    break;
                }
            }
            tracing::warn!("second signal: stopping at once");
            std::process::exit(CODE_AT_ONCE);
        });
        Ok(Self { requested })
    }

    /// One that nobody asks for: signals do what they do.
    pub(crate) fn never() -> Self {
        Self { requested: watch::channel(false).1 }
    }

    /// Whether a stop was asked for.
    pub(crate) fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Waits until a stop is asked for.
    pub(crate) async fn requested(mut self) {
        // Without a sender nobody can ask.
        if self.requested.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn any(signals: &mut [Signal]) {
    select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
}

/// Whether a signal that comes so long after the first is an order of its own.
fn is_another(after: Duration) -> bool {
    after > TOGETHER
}

/// Whether ward was started to outlive its terminal, as `nohup` does it. Linux says so; elsewhere a
/// closed terminal is always a stop.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores_hangup(&status)
}

fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Signal 1 is the lowest bit.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ignores_hangup, is_another};

    #[test]
    fn signals_that_come_together_are_one_order() {
        assert!(!is_another(Duration::ZERO) && !is_another(Duration::from_millis(300)));
        assert!(is_another(Duration::from_millis(301)));
    }

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert!(ignores_hangup("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""));
    }
}
