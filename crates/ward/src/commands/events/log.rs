//! The log that a command works on: Kafka where the user names one; otherwise the tables in the
//! PostgreSQL of a running ward, or in one that is started for the command and stopped after it. A
//! group can be moved only while no ward consumes, and then nobody else runs that server.

use std::sync::Arc;

use ward_embedded::Postgres;
use ward_events::{KafkaLog, Log};

use super::context::settings;
use crate::application::Application;
use crate::cli::ConfigArgs;
use crate::events::{LogKind, broker_of, embedded_log};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::provision::{EVENT_LOG, Provision, is_running};
use crate::secrets::Secrets;

/// A log, and what has to be stopped after the command.
pub(super) struct OpenLog {
    pub(super) log: Arc<dyn Log>,
    started: Option<Provision>,
}

impl OpenLog {
    /// Finds the application's log. Where no ward runs its PostgreSQL is started; a command that
    /// goes on until it is interrupted (`is_endless`) could not stop it again and has to do
    /// without.
    pub(super) async fn find(
        application: &Application,
        config: &ConfigArgs,
        is_endless: bool,
    ) -> Result<OpenLog, Failure> {
        let settings = settings(&application.app)?;
        if LogKind::of(application, settings)? == LogKind::Kafka {
            let connection = broker_of(application, settings)?.ok_or_else(no_log)?;
            return Ok(OpenLog { log: Arc::new(KafkaLog::new(connection)), started: None });
        }
        if let Some(url) = &config.event_log_url {
            return Ok(OpenLog { log: embedded_log(url), started: None });
        }
        if is_running(application) || is_endless {
            let secrets = Secrets::load(&application.state)?;
            let log = secrets.url(EVENT_LOG).map(embedded_log).ok_or_else(no_log)?;
            return Ok(OpenLog { log, started: None });
        }
        // Records are in the PostgreSQL that there was; a new and empty one is of no use.
        if config.database_url.is_none() && !Postgres::exists(&application.state) {
            return Err(no_log());
        }
        let provision = Provision::quietly(application, config).await?;
        match provision.made.event_log.as_deref().map(embedded_log) {
            Some(log) => Ok(OpenLog { log, started: Some(provision) }),
            None => {
                provision.stop(Progress::Quiet).await?;
                Err(no_log())
            }
        }
    }

    /// Stops what was started.
    pub(super) async fn close(self) -> Result<(), Failure> {
        let OpenLog { log, started } = self;
        // Its connections end first.
        drop(log);
        match started {
            Some(provision) => provision.stop(Progress::Quiet).await,
            None => Ok(()),
        }
    }
}

fn no_log() -> Failure {
    Failure::new("there are no events yet")
        .help("start `ward up` for this state directory, or name Kafka with --kafka-brokers")
}
