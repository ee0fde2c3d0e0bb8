//! Connections to PostgreSQL as the relay and the embedded log use them: opened by whoever starts
//! this crate, driven here, with their notifications. No address and no password is known here.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures::future::{BoxFuture, poll_fn};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client, Connection};
use uuid::Uuid;

use crate::limits::{DEAD_PEER_PROBES, DEAD_PEER_SILENCE, LOCK_MAX, STATEMENT_MAX};

/// Why a statement has no result. Never a value from a row: only the server's code is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseError(pub String);

impl DatabaseError {
    /// Whether the server said so, over a connection that works.
    pub(crate) fn is_the_servers(&self) -> bool {
        self.0.starts_with(SQLSTATE)
    }
}

/// How an error begins that is the server's.
const SQLSTATE: &str = "SQLSTATE ";

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> DatabaseError {
        DatabaseError(match error.code() {
            Some(code) => format!("{SQLSTATE}{}", code.code()),
            None => error.to_string(),
        })
    }
}

/// Opens a connection to a database, as the role that owns what is read and written there.
pub type Connect = Arc<dyn Fn() -> BoxFuture<'static, Result<Link, DatabaseError>> + Send + Sync>;

/// An open connection, with its notifications.
pub struct Link {
    pub(crate) client: Client,
    pub(crate) woken: Arc<Notify>,
    driver: tokio::task::JoinHandle<()>,
}

impl Link {
    /// Takes over a connection and drives it until the link is dropped or the server ends it, which
    /// wakes as a notification does. Those of this process's own making wake nobody: it knew
    /// already.
    pub fn new<S, T>(client: Client, mut connection: Connection<S, T>) -> Link
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let woken = Arc::new(Notify::new());
        let notify = woken.clone();
        let mut next = move |context: &mut Context<'_>| loop {
            match connection.poll_message(context) {
                Poll::Ready(Some(Ok(AsyncMessage::Notification(told)))) => {
                    if told.payload() != own_name() {
                        notify.notify_one();
                    }
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        };
        let ended = woken.clone();
        let driver = tokio::spawn(async move {
            poll_fn(move |context| next(context)).await;
            ended.notify_one();
        });
        Link { client, woken, driver }
    }

    /// Sets up the session: bounds for its statements, and that the server notices soon when this
    /// side is gone, so that what the session held is free for others.
    pub(crate) async fn bound(&self) -> Result<(), DatabaseError> {
        let mut settings = String::new();
        let (statement, lock) = (STATEMENT_MAX.as_millis(), LOCK_MAX.as_millis());
        let silence = DEAD_PEER_SILENCE.as_secs();
        for (name, value) in [
            ("statement_timeout", statement),
            ("lock_timeout", lock),
            ("idle_in_transaction_session_timeout", statement),
            ("tcp_keepalives_idle", silence.into()),
            ("tcp_keepalives_interval", silence.into()),
            ("tcp_keepalives_count", DEAD_PEER_PROBES.into()),
        ] {
            // Writing to a text cannot fail.
            let _ = write!(settings, "SET {name} = {value};");
        }
        in_time(self.client.batch_execute(&settings)).await
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What this process writes into its notifications, to know them again.
pub(crate) fn own_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| Uuid::new_v4().simple().to_string())
}

/// A server that was stopped answers nothing and closes nothing: what takes too long has failed,
/// and so has the connection.
pub(crate) async fn in_time<T>(
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(STATEMENT_MAX, work).await {
        Ok(result) => result.map_err(DatabaseError::from),
        Err(_) => Err(DatabaseError("no answer in time".to_owned())),
    }
}
