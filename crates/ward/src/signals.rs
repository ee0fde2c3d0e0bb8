//! SIGINT and SIGTERM: the first asks for an orderly stop, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::failure::Failure;

/// What the shell reports for a process that Ctrl-C ended.
const CODE_AT_ONCE: i32 = 130;

/// Knows whether a stop was asked for.
#[derive(Clone)]
pub(crate) struct Stop {
    requested: watch::Receiver<bool>,
}

impl Stop {
    /// Takes over both signals. Must be called on the runtime.
    pub(crate) fn on_signals() -> Result<Self, Failure> {
        let take = |kind| signal(kind).map_err(Failure::because("taking over signals"));
        let (mut interrupt, mut terminate) =
            (take(SignalKind::interrupt())?, take(SignalKind::terminate())?);
        let (request, requested) = watch::channel(false);
        tokio::spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            request.send_replace(true);
            either(&mut interrupt, &mut terminate).await;
            tracing::warn!("second signal: stopping at once");
            std::process::exit(CODE_AT_ONCE);
        });
        Ok(Self { requested })
    }

    /// Waits until a stop is asked for.
    pub(crate) async fn requested(mut self) {
        // The sender lives as long as the process; if it did not, nobody could ask any more.
        if self.requested.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
