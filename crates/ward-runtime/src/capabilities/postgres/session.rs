//! One connection to a database server: the client, the task that drives it, and its prepared
//! statements. A session is used by one handle at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Error, Statement};
use ward_postgres::{Address, Connection, Connector, Dialled};

use super::effect::{Effect, effect};

/// Prepared statements kept per connection. A component has some tens; each costs the server a few
/// ten kilobytes for its plan.
const STATEMENTS_MAX: usize = 128;

/// A statement longer than this is not kept: it is generated, and would not come again.
const STATEMENT_BYTES_MAX: usize = 16 << 10;

/// One connection.
pub(super) struct Session {
    pub(super) client: Client,
    /// What it was opened with: another guest gets it for the very same only, password and all.
    pub(super) address: Arc<Address>,
    connector: Connector,
    driver: JoinHandle<()>,
    statements: Mutex<Statements>,
}

impl Session {
    /// Takes over an open connection, and drives it.
    pub(super) fn new(address: Arc<Address>, dialled: Dialled) -> Self {
        let Dialled { client, connection, connector } = dialled;
        let (driver, statements) = (drive(connection), Mutex::default());
        Session { client, address, connector, driver, statements }
    }

    /// Whether the server or the network ended it.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The statement `text`, prepared on this connection, from the cache where possible.
    pub(super) async fn prepare(&self, text: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.cached(text) {
            return Ok(statement);
        }
        let statement = self.client.prepare(text).await?;
        if text.len() <= STATEMENT_BYTES_MAX {
            self.with_statements(|statements| statements.insert(text, statement.clone()));
        }
        Ok(statement)
    }

    /// Whether `text` would be served from the cache.
    pub(super) fn is_cached(&self, text: &str) -> bool {
        self.with_statements(|statements| statements.entries.contains_key(text))
    }

    /// What `text` leaves behind; known without reading it again once it is cached.
    pub(super) fn effect(&self, text: &str) -> Effect {
        let known =
            self.with_statements(|statements| statements.entries.get(text).map(|e| e.effect));
        known.unwrap_or_else(|| effect(text))
    }

    /// Forgets `text`, because the server no longer has it as it was prepared.
    pub(super) fn forget(&self, text: &str) {
        self.with_statements(|statements| statements.entries.remove(text));
    }

    fn cached(&self, text: &str) -> Option<Statement> {
        self.with_statements(|statements| statements.get(text))
    }

    fn with_statements<R>(&self, work: impl FnOnce(&mut Statements) -> R) -> R {
        work(&mut self.statements.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops whatever the server still does for this connection, and closes it. Returns when the
    /// connection is gone, so that its permits can be released truthfully.
    pub(super) async fn discard(self) {
        let cancel = self.client.cancel_token();
        let driver = self.driver.abort_handle();
        let end = async {
            if cancel.cancel_query(self.connector).await.is_err() {
                // The server cannot be reached to be asked; then waiting for its answer is vain.
                self.driver.abort();
            }
            drop(self.client);
            // An error is that abort, or the driver's end by a panic: gone either way.
            drop(self.driver.await);
        };
        if tokio::time::timeout(DISCARD, end).await.is_err() {
            driver.abort();
        }
    }
}

/// How long a cancelled statement may take to end before its connection is cut off.
const DISCARD: Duration = Duration::from_secs(10);

/// Spawns the task that moves the connection's bytes.
fn drive(mut connection: Connection) -> JoinHandle<()> {
    tokio::spawn(async move {
        // Polled by hand: the library's own loop logs the server's notices, and what a trigger
        // raises as a notice may hold personal data.
        loop {
            match std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                Some(Ok(AsyncMessage::Notice(_) | AsyncMessage::Notification(_))) => {}
                Some(Ok(_)) => {}
                // The client learns of the end by its own failing calls.
                Some(Err(_)) | None => return,
            }
        }
    })
}

/// Prepared statements by text; the least recently used one makes room.
#[derive(Default)]
struct Statements {
    entries: HashMap<String, CachedStatement>,
    clock: u64,
}

struct CachedStatement {
    statement: Statement,
    effect: Effect,
    used: u64,
}

impl Statements {
    fn get(&mut self, text: &str) -> Option<Statement> {
        self.clock += 1;
        let entry = self.entries.get_mut(text)?;
        entry.used = self.clock;
        Some(entry.statement.clone())
    }

    fn insert(&mut self, text: &str, statement: Statement) {
        if self.entries.len() >= STATEMENTS_MAX
            && let Some(oldest) = self
                .entries
                .iter()
                .min_by_key(|(_, entry)| entry.used)
                .map(|(text, _)| text.clone())
        {
            // Dropping the statement closes it on the server.
            self.entries.remove(&oldest);
        }
        self.clock += 1;
        let entry = CachedStatement { statement, effect: effect(text), used: self.clock };
        self.entries.insert(text.to_owned(), entry);
    }
}
