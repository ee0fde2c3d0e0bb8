//! Whether Ward can do its work: it is not being stopped, each service's database answers, and so
//! does the event log where the manifest calls it essential. What was found is believed for a
//! second, so that nobody who asks again and again costs a database anything.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use ward_events::Log;

use crate::database;
use crate::signals::Stop;

/// For how long what was found is believed.
const BELIEVED: Duration = Duration::from_secs(1);

/// How long a database has to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// One thing that has to be so.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    name: String,
    found: Result<(), String>,
}

impl Check {
    pub(crate) fn new(name: impl Into<String>, found: Result<(), String>) -> Self {
        Self { name: name.into(), found }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.found.is_ok()
    }

    /// `[+] name`, or `[-] name: why`, as Kubernetes writes it.
    pub(crate) fn line(&self) -> String {
        match &self.found {
            Ok(()) => format!("[+] {}\n", self.name),
            Err(why) => format!("[-] {}: {why}\n", self.name),
        }
    }
}

/// What is looked at.
pub(crate) struct Ready {
    pub(crate) stop: Stop,
    /// Each service's database, by name, with its address.
    pub(crate) databases: Vec<(String, String)>,
    /// The event log, where nothing is ready without it.
    pub(crate) log: Option<Arc<dyn Log>>,
    pub(crate) last: Mutex<Option<(Instant, Vec<Check>)>>,
}

impl Ready {
    /// All of it.
    pub(crate) async fn checks(&self) -> Vec<Check> {
        let stopping = match self.stop.is_requested() {
            true => Err("it is being stopped".to_owned()),
            false => Ok(()),
        };
        let mut checks = vec![Check::new("serving", stopping)];
        checks.extend(self.outside().await);
        checks
    }

    async fn outside(&self) -> Vec<Check> {
        // Held while it is looked: who comes meanwhile is answered by what is found then.
        let mut last = self.last.lock().await;
        if let Some((_, checks)) = last.as_ref().filter(|(at, _)| at.elapsed() < BELIEVED) {
            return checks.clone();
        }
        let databases = self.databases.iter().map(|(name, url)| async move {
            Check::new(format!("database {name}"), answers(url).await)
        });
        let mut checks = join_all(databases).await;
        checks.extend(self.log.as_ref().map(|log| {
            let up = log.is_up().then_some(()).ok_or_else(|| "it cannot be reached".to_owned());
            Check::new(format!("event log {}", log.name()), up)
        }));
        *last = Some((Instant::now(), checks.clone()));
        checks
    }
}

/// Connects and asks. The error never has a part of the address.
async fn answers(url: &str) -> Result<(), String> {
    let asked = async {
        let client = database::connect(url).await.map_err(|_| "it cannot be reached".to_owned())?;
        client.batch_execute("SELECT 1").await.map_err(|_| "it does not answer".to_owned())
    };
    timeout(ANSWER_MAX, asked).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}
