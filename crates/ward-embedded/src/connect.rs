//! Connections to our own server: the loopback address, the superuser, no TLS. Used to see whether
//! the server is ready, and to make databases and roles.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use crate::cluster::SUPERUSER;

/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(5);

/// How long a silent server is waited for.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How long a server that says it is recovering is waited for: replaying the log after a crash
/// takes as long as it takes.
const RECOVERY_MAX: Duration = Duration::from_secs(1800);

/// Between two attempts: short, because a warm start takes about 100 ms.
const PAUSE: Duration = Duration::from_millis(25);

/// Where and as whom to connect.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) port: u16,
    pub(crate) password: String,
}

/// Why there is no connection.
pub(crate) enum Refusal {
    /// Nobody answers, or not in PostgreSQL's language.
    Silent(String),
    /// The server is starting, recovering or stopping.
    NotNow,
    /// The server has answered, and will not let us in.
    Denied(String),
}

impl Admin {
    /// The address with the password in it: a secret.
    pub(crate) fn url(&self, database: &str) -> String {
        crate::provision::database_url(
            &format!("127.0.0.1:{}", self.port),
            SUPERUSER,
            &self.password,
            database,
        )
    }

    /// One attempt. The connection's task ends when the client is dropped.
    pub(crate) async fn connect(&self, database: &str) -> Result<Client, Refusal> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user(SUPERUSER).password(&self.password);
        config.dbname(database).application_name("ward");
        let attempt = timeout(ATTEMPT_MAX, config.connect(NoTls)).await;
        let (client, connection) = match attempt {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(refusal(&error)),
            Err(_) => return Err(Refusal::Silent("no answer".to_owned())),
        };
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(code = ?error.code(), "administrative connection ended");
            }
        });
        Ok(client)
    }

    /// Attempts until the server lets us in, or it is clear that it will not. `alive` is asked
    /// between attempts, so that a server that has ended is not waited for.
    pub(crate) async fn connect_when_ready(
        &self,
        mut alive: impl FnMut() -> Result<(), String>,
    ) -> Result<Client, String> {
        let started = Instant::now();
        let mut deadline = started + SILENCE_MAX;
        loop {
            let reason = match self.connect("postgres").await {
                Ok(client) => return Ok(client),
                Err(Refusal::Denied(reason)) => return Err(reason),
                Err(Refusal::NotNow) => {
                    deadline = started + RECOVERY_MAX;
                    "still recovering".to_owned()
                }
                Err(Refusal::Silent(reason)) => reason,
            };
            alive()?;
            if Instant::now() >= deadline {
                return Err(reason);
            }
            sleep(PAUSE).await;
        }
    }
}

fn refusal(error: &tokio_postgres::Error) -> Refusal {
    match error.as_db_error() {
        Some(db) if *db.code() == SqlState::CANNOT_CONNECT_NOW => Refusal::NotNow,
        Some(db) => Refusal::Denied(format!("{} ({})", db.message(), db.code().code())),
        None => Refusal::Silent(error.to_string()),
    }
}
