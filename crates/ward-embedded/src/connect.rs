//! Connections to our own server: the loopback address, the superuser, no TLS. Used to see whether
//! the server is ready, and to make databases and roles.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use ward_postgres::{Address, DialError};

use crate::cluster::SUPERUSER;

/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(5);

/// How long a silent server is waited for.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How long a server that says it is recovering is waited for: replaying the log after a crash
/// takes as long as it takes.
pub(crate) const RECOVERY_MAX: Duration = Duration::from_secs(1800);

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
        let address = Address::loopback(self.port, SUPERUSER, &self.password, database);
        ward_postgres::connect(&address, ATTEMPT_MAX).await.map_err(|error| refusal(&error))
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

fn refusal(error: &DialError) -> Refusal {
    match error {
        DialError::Refused { code, .. } if *code == SqlState::CANNOT_CONNECT_NOW => Refusal::NotNow,
        DialError::Refused { words, .. } => Refusal::Denied(words.clone()),
        other => Refusal::Silent(other.to_string()),
    }
}
