//! Waits of a start: what takes longer than a moment is said, once, and whoever wants no server any
//! more does not have to wait for it.

use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::time::sleep;

use crate::error::EmbeddedError;
use crate::postgres::Progress;

/// Ends when the server is not wanted any more.
pub type Unwanted = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An [`Unwanted`] for those who wait as long as it takes.
#[must_use]
pub fn wanted() -> Unwanted {
    Box::pin(std::future::pending())
}

/// How long something may take before it is said what is waited for: longer than it takes where
/// nothing is in its way.
pub(crate) const SAID_AFTER: Duration = Duration::from_secs(1);

/// Does something, and says once what is waited for if that takes long.
pub async fn saying<T>(progress: &Progress, what: &str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = sleep(SAID_AFTER) => progress(what),
    }
    work.await
}

/// What a start that has to wait needs.
pub(crate) struct Waits {
    pub(crate) progress: Progress,
    pub(crate) unwanted: Unwanted,
}

impl Waits {
    /// The same, given up when the server is not wanted any more; after that there is nothing to
    /// wait for.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, EmbeddedError> {
        tokio::select! {
            biased;
            () = &mut self.unwanted => Err(EmbeddedError::Unwanted),
            done = saying(&self.progress, what, work) => Ok(done),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::{Waits, wanted};
    use crate::error::EmbeddedError;

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_said_once_and_can_be_given_up() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let lines = said.clone();
        let progress = Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned()));
        let mut waits = Waits { progress: progress.clone(), unwanted: wanted() };
        waits.until("short", sleep(Duration::from_millis(900))).await.unwrap();
        waits.until("long", sleep(Duration::from_secs(60))).await.unwrap();
        assert_eq!(*said.lock().unwrap(), ["long"]);

        let unwanted = Box::pin(sleep(Duration::from_secs(5)));
        let (mut waits, began) = (Waits { progress, unwanted }, Instant::now());
        let error = waits.until("longer", std::future::pending::<()>()).await.unwrap_err();
        assert!(matches!(error, EmbeddedError::Unwanted), "{error}");
        assert_eq!(began.elapsed().as_secs(), 5);
        assert_eq!(*said.lock().unwrap(), ["long", "longer"]);
    }
}
