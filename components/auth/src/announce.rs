//! Tells everybody who verifies tokens which sessions have ended, through the key-value store:
//! guard refuses tokens of a session for which there is a key. Only this writes them.
//!
//! The store takes no part in the database's transactions, so a session's row says whether its end
//! was announced, and every operation that changes something announces what others left over: a
//! store that did not answer, or an instance that was stopped in between, delays an announcement
//! and loses none. A key matters until the session's last access token is over; then key and row
//! go.

use kit::database::Database;
use kit::route::Call;
use kit::session::ended_key;
use spin_sdk::key_value::Store;

use crate::failure::Failure;
use crate::limits::{ANNOUNCED_BEYOND_SECONDS, BATCH};
use crate::settings;
use crate::store::attempts;
use crate::store::sessions::{self, Ended};

/// Announces all that is not announced yet. The value of a key is until when it matters, in seconds
/// of the Unix epoch.
pub(crate) async fn announce(database: &Database) -> Result<(), Failure> {
    loop {
        let ended = sessions::unannounced(database).await?;
        if ended.is_empty() {
            return Ok(());
        }
        let store = Store::open_default().await?;
        let now = i64::try_from(settings::now()).unwrap_or(i64::MAX);
        for Ended { id, access_until } in &ended {
            let until = access_until.saturating_add(ANNOUNCED_BEYOND_SECONDS);
            if until > now {
                store.set(ended_key(id), until.to_string()).await?;
            }
        }
        let full = i64::try_from(ended.len()) == Ok(BATCH);
        sessions::announced(database, ended.into_iter().map(|it| it.id)).await?;
        if !full {
            return Ok(());
        }
    }
}

/// Announces what others left over, and removes what is over. Whoever asked for something else does
/// not learn of a failure: it is logged, and the next one tries again.
pub(crate) async fn leftovers(database: &Database, call: &Call<'_>) {
    let done = async {
        announce(database).await?;
        remove(database).await
    };
    if let Err(failure) = done.await {
        call.log_failure(failure.cause());
    }
}

/// Removes sessions that are over, keys first (a row without a key is found again), and counts of
/// failures that have drained away.
async fn remove(database: &Database) -> Result<(), Failure> {
    let over = sessions::over(database).await?;
    if over.iter().any(|(_, announced)| *announced) {
        let store = Store::open_default().await?;
        for (id, _) in over.iter().filter(|(_, announced)| *announced) {
            store.delete(ended_key(id)).await?;
        }
    }
    if !over.is_empty() {
        sessions::remove(database, over.into_iter().map(|(id, _)| id)).await?;
    }
    Ok(attempts::remove(database).await?)
}
