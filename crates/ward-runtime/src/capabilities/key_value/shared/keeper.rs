//! Keeps memory right: asks the database for what has changed, over a connection of its own that
//! also hears notifications, and replaces one that is silent or gone.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures::TryStreamExt as _;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;

use super::super::limits::{
    ANSWER_MAX, BEAT, HELD_PAIRS_MAX, HELD_VALUE_BYTES_MAX, REMOVED_KEPT, RETRY_PAUSE, SILENCE_MAX,
};
use super::line::{Failed, Session, late};
use super::memory::{Change, Content, Pairs};
use super::{Shared, statements};

/// Asks whenever somebody waits for it, at the beat while somebody reads, and when there is news.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut keeper = Keeper { shared, session: None, woken: Arc::default(), is_down: false };
    loop {
        let is_wanted = keeper.rest().await;
        // The server has ended the connection, as it does when it stops: whoever reads next will
        // have another made.
        if !is_wanted && keeper.session.as_ref().is_none_or(|session| !session.is_open()) {
            keeper.session = None;
            continue;
        }
        let outcome = keeper.ask().await;
        keeper.shared.tried.send_replace(outcome.is_ok());
        keeper.tell(outcome.as_ref().err());
        if outcome.is_err() {
            sleep(RETRY_PAUSE).await;
        }
    }
}

struct Keeper {
    shared: Arc<Shared>,
    session: Option<Session>,
    /// Told by the connection of notifications, and of its end.
    woken: Arc<Notify>,
    /// The last try failed, which was said.
    is_down: bool,
}

impl Keeper {
    /// Waits until there is something to ask; whether a reader has it asked, or the beat that they
    /// keep.
    async fn rest(&self) -> bool {
        let is_used = self.shared.used.swap(false, Ordering::Relaxed);
        let beat = async {
            match is_used {
                true => sleep(BEAT).await,
                false => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.shared.wanted.notified() => true,
            () = beat => true,
            () = self.woken.notified() => false,
        }
    }

    /// Brings memory up to now: by what has changed, or by everything.
    async fn ask(&mut self) -> Result<(), Failed> {
        if let Some(session) = &self.session {
            match timeout(SILENCE_MAX, self.follow(session)).await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => {}
                Ok(Err(_)) | Err(_) => self.session = None,
            }
        }
        let loaded = timeout(ANSWER_MAX, self.load()).await.unwrap_or_else(|_| Err(late()));
        if loaded.is_err() {
            self.session = None;
        }
        loaded
    }

    /// Reads what has changed; whether that was enough.
    async fn follow(&self, session: &Session) -> Result<bool, Failed> {
        let Some(since) = self.shared.memory().since() else { return Ok(false) };
        let asked = Instant::now();
        let store = &*self.shared.store;
        let rows = session
            .query(statements::CHANGES, &[&store, &since, &held_value(), &REMOVED_KEPT])
            .await?;
        let version = rows.first().ok_or_else(gone)?.try_get(0)?;
        let changes = rows.iter().filter_map(|row| change(row).transpose());
        let changes = changes.collect::<Result<_, _>>()?;
        Ok(self.shared.memory().changed((since, version), changes, asked))
    }

    /// Reads everything that there is room for.
    async fn load(&mut self) -> Result<(), Failed> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.connect().await?,
        };
        let session = self.session.insert(session);
        self.shared.memory().forget();
        let asked = Instant::now();
        let store = &*self.shared.store;
        // One more than there is room for shows that there are more.
        let most = i64::try_from(HELD_PAIRS_MAX + 1).unwrap_or(i64::MAX);
        let rows = session.stream(statements::ALL, &[&store, &most, &held_value()]).await?;
        let mut rows = std::pin::pin!(rows);
        let (mut version, mut pairs) = (None, Pairs::default());
        while let Some(row) = rows.try_next().await? {
            version = Some(row.try_get(0)?);
            if let Some(Change { key, content: Some(content), .. }) = change(&row)? {
                pairs.put(key, content);
            }
        }
        self.shared.memory().loaded(version.ok_or_else(gone)?, pairs, asked);
        Ok(())
    }

    /// Listens before anything is read, so that nothing falls between.
    async fn connect(&self) -> Result<Session, Failed> {
        let Shared { address, store, .. } = &*self.shared;
        let session = Session::open(address, store, self.woken.clone()).await?;
        session.run(statements::LISTEN).await?;
        Ok(session)
    }

    /// Says once that the database is away, and once that it is back.
    fn tell(&mut self, failed: Option<&Failed>) {
        let store = &*self.shared.store;
        match (failed, self.is_down) {
            (Some(Failed(reason)), false) => {
                tracing::warn!(store, reason, "a key-value store's database does not answer");
            }
            (None, true) => tracing::info!(store, "a key-value store's database answers again"),
            (Some(_), true) | (None, false) => {}
        }
        self.is_down = failed.is_some();
    }
}

/// Bytes of a value that is read to be held, as the statements take it.
fn held_value() -> i32 {
    i32::try_from(HELD_VALUE_BYTES_MAX).unwrap_or(i32::MAX)
}

fn gone() -> Failed {
    Failed("the store is gone".to_owned())
}

/// What a row tells beside the store's version, which may be nothing.
fn change(row: &Row) -> Result<Option<Change>, Failed> {
    let Some(version) = row.try_get(1)? else { return Ok(None) };
    let (is_there, value): (bool, Option<&[u8]>) = (row.try_get(3)?, row.try_get(4)?);
    let content = is_there.then(|| value.map_or(Content::Long, Content::of));
    Ok(Some(Change { version, key: row.try_get::<_, &[u8]>(2)?.into(), content }))
}
