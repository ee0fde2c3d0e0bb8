//! Events between services, put together from the manifest: which outboxes are shipped, which
//! components consume what, and which log both go through. What is wrong with the contracts is told
//! before anything is served; that the log is away is nobody's failure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::Notify;
use ward_events::{
    CallError, Connection, Consume, EmbeddedLog, EventType, Events, EventsOptions, KafkaLog, Log,
    RelayOptions, RelayStats, StartAt, TopicShape, TriggerOptions, TriggerStats,
};
use ward_manifest::{App, KafkaSettings, KafkaTrigger, Outbox, StartFrom, Variables};
use ward_runtime::{CallContext, Function, OutboxBell, RequestId};
use ward_wire::{Contract, Value};

use crate::application::Application;
use crate::database;
use crate::failure::Failure;
use crate::releases::{Counted, Releases};

/// Which log an application's events go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogKind {
    /// Tables in PostgreSQL: nothing has to be there for it.
    Embedded,
    /// Kafka, at an address of the user's.
    Kafka,
}

impl LogKind {
    /// Which log it is: Kafka where the manifest has an address, or its variable for one is given a
    /// value. The one place where that is decided.
    pub(crate) fn of(
        application: &Application,
        settings: &KafkaSettings,
    ) -> Result<LogKind, Failure> {
        let Some(name) = settings.broker_variable() else { return Ok(LogKind::Kafka) };
        let declared = application.app.variables.get(&name);
        let default = declared.and_then(|variable| variable.default.as_deref()).unwrap_or_default();
        let names = application.app.variables.keys().cloned().collect();
        let is_given = application.given(&names)?.contains(&name);
        Ok(match is_given || !default.trim().is_empty() {
            true => LogKind::Kafka,
            false => LogKind::Embedded,
        })
    }
}

/// The embedded log, in the database of this address.
pub(crate) fn embedded_log(url: &str) -> Arc<dyn Log> {
    let url: Arc<str> = url.into();
    Arc::new(EmbeddedLog::new(Arc::new(move || Box::pin(database::link(url.clone())))))
}

/// Who is told when a component has written events: the relays, by their components.
#[derive(Clone, Default)]
pub(crate) struct Written(BTreeMap<String, Arc<Notify>>);

impl Written {
    /// One for each outbox of the application.
    pub(crate) fn of(app: &App) -> Written {
        let outboxes = app.kafka.iter().flat_map(|settings| &settings.outboxes);
        Written(outboxes.map(|outbox| (outbox.component.clone(), Arc::default())).collect())
    }

    /// What rings for them.
    pub(crate) fn bell(&self) -> OutboxBell {
        let relays = self.0.clone();
        OutboxBell::new(move |component| {
            relays.get(component).into_iter().for_each(|relay| relay.notify_one());
        })
    }

    fn by(&self, component: &str) -> Arc<Notify> {
        self.0.get(component).cloned().unwrap_or_default()
    }
}

/// What the application has of relays and triggers; nothing runs yet. `embedded` is the address of
/// the embedded log's database, where that is what is wanted. `None` where there is neither relay
/// nor trigger, or no log.
pub(crate) fn prepare(
    app: &App,
    variables: &Variables,
    releases: &Arc<Releases>,
    written: &Written,
    (embedded, metrics): (Option<&str>, &ward_events::Metrics),
) -> Result<Option<EventsOptions>, Failure> {
    let Some(settings) = &app.kafka else { return Ok(None) };
    let contract = contract(settings)?;
    let relays = settings.outboxes.iter().map(|outbox| {
        let stats = Arc::new(metrics.relay(&outbox.component, &outbox.topic));
        let parts = (settings, outbox, written.by(&outbox.component), stats);
        relay(app, variables, &contract, parts)
            .map_err(Failure::because(format!("the outbox of {}", outbox.component)))
    });
    let relays = relays.collect::<Result<Vec<_>, Failure>>()?;
    let triggers = app.kafka_triggers.iter().map(|trigger| {
        let stats = Arc::new(metrics.trigger(&trigger.id, &trigger.group));
        consumer(&contract, releases, (trigger, stats))
            .map_err(Failure::because(format!("the trigger {}", trigger.id)))
    });
    let triggers = triggers.collect::<Result<Vec<_>, Failure>>()?;
    let log = match embedded {
        Some(url) => embedded_log(url),
        None => match connection(settings, variables)? {
            Some(connection) => Arc::new(KafkaLog::new(connection)),
            None => return Ok(None),
        },
    };
    let shape = TopicShape {
        partitions: settings.partitions,
        replicas: settings.replicas,
        keep: settings.keep_records,
    };
    Ok(Some(EventsOptions { log, shape, relays, triggers }))
}

/// Starts what was prepared.
pub(crate) fn start(options: Option<EventsOptions>) -> Option<Events> {
    options.map(Events::start)
}

/// Every topic that is written or read, dead letters among them.
pub(crate) fn topics(app: &App) -> Vec<String> {
    let outboxes = app.kafka.iter().flat_map(|settings| &settings.outboxes);
    let mut topics: BTreeSet<String> = outboxes.map(|outbox| outbox.topic.clone()).collect();
    for trigger in &app.kafka_triggers {
        for topic in &trigger.topics {
            topics.extend([topic.clone(), trigger.dead_letter_of(topic)]);
        }
    }
    topics.into_iter().collect()
}

/// The contracts: each subdirectory is a package.
pub(crate) fn contract(settings: &KafkaSettings) -> Result<Contract, Failure> {
    let directory = &settings.contracts;
    let what = format!("the contracts in {}", directory.display());
    let packages = packages(directory).map_err(Failure::because(&what))?;
    Contract::from_directories(&packages).map_err(Failure::because(&what))
}

/// Directories that have WIT in them, in order of their names.
fn packages(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut packages = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let wit = |file: std::fs::DirEntry| file.path().extension().is_some_and(|e| e == "wit");
        if path.is_dir() && std::fs::read_dir(&path)?.flatten().any(wit) {
            packages.push(path);
        }
    }
    packages.sort();
    Ok(packages)
}

/// How the user's broker is reached, for commands that need nothing else of the application: what
/// other variables it requires need no values.
pub(crate) fn broker_of(
    application: &Application,
    settings: &KafkaSettings,
) -> Result<Option<Connection>, Failure> {
    let mut needed = settings.broker_variables();
    needed.extend(settings.client_variables());
    let variables = application.app.variables.iter();
    let others = variables.filter(|(name, it)| it.default.is_none() && !needed.contains(*name));
    let provided: BTreeMap<_, _> = others.map(|(name, _)| (name.clone(), String::new())).collect();
    connection(settings, &application.variables(&provided)?)
}

/// How the user's broker is reached; `None` where there is none.
fn connection(
    settings: &KafkaSettings,
    variables: &Variables,
) -> Result<Option<Connection>, Failure> {
    let brokers = variables
        .expand(&settings.brokers)
        .map_err(Failure::because("brokers of [application.trigger.kafka]"))?;
    if brokers.trim().is_empty() {
        return Ok(None);
    }
    let mut options = BTreeMap::new();
    for (name, template) in &settings.client {
        let value = variables
            .expand(template)
            .map_err(Failure::because(format!("`{name}` of [application.trigger.kafka]")))?;
        options.insert(name.clone(), value);
    }
    let refused = |error: ward_events::ConnectionError| {
        let failure = Failure::new(&error);
        match error.help() {
            Some(help) => failure.help(help),
            None => failure,
        }
    };
    Connection::new(&brokers, options).map(Some).map_err(refused)
}

fn relay(
    app: &App,
    variables: &Variables,
    contract: &Contract,
    (settings, outbox, written, stats): (&KafkaSettings, &Outbox, Arc<Notify>, Arc<RelayStats>),
) -> Result<RelayOptions, String> {
    let encoder = EventType::derive(contract, &outbox.interface, &outbox.record)?;
    let component = app.components.get(&outbox.component);
    let database = component.and_then(|component| component.settings.database.as_ref());
    let url = database.and_then(|database| variables.app_value(&database.variable));
    let url: Arc<str> = url.ok_or("its database has no address")?.into();
    Ok(RelayOptions {
        name: outbox.component.clone(),
        connect: Arc::new(move || Box::pin(database::link(url.clone()))),
        encoder: Arc::new(encoder),
        key: outbox.key.clone(),
        source: outbox.source.clone(),
        erased_by: outbox.erased_by.iter().cloned().collect(),
        topic: outbox.topic.clone(),
        keep_published: settings.keep_published,
        written,
        stats,
    })
}

fn consumer(
    contract: &Contract,
    releases: &Arc<Releases>,
    (trigger, stats): (&KafkaTrigger, Arc<TriggerStats>),
) -> Result<TriggerOptions, String> {
    let KafkaTrigger { component, interface, function, .. } = trigger;
    let event = EventType::of_consumer(contract, interface, function)?;
    let consume = releases.consumer(&trigger.id).ok_or("nothing consumes for it")?;
    let dead = trigger.clone();
    let most = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(TriggerOptions {
        id: trigger.id.clone(),
        component: component.clone(),
        group: trigger.group.clone(),
        topics: trigger.topics.clone(),
        from: match trigger.from {
            StartFrom::Earliest => StartAt::Earliest,
            StartFrom::Latest => StartAt::Latest,
        },
        batch_records_max: most(trigger.batch_records_max),
        batch_wait: trigger.batch_wait,
        concurrency: most(trigger.concurrency),
        retries: trigger.retries,
        patience: trigger.patience,
        dead_letter_of: Box::new(move |topic| dead.dead_letter_of(topic)),
        event,
        consume,
        stats,
    })
}

/// A component's function as the trigger calls it.
#[derive(Debug)]
pub(crate) struct Component(Counted<Function>);

impl Component {
    /// The one that a trigger names.
    pub(crate) fn of(
        trigger: &KafkaTrigger,
        find: impl Fn(&str, &str, &str) -> Option<Counted<Function>>,
    ) -> Result<Self, String> {
        let KafkaTrigger { component, interface, function, .. } = trigger;
        find(component, interface, function)
            .map(Self)
            .ok_or_else(|| format!("{component} does not export `{function}` of {interface}"))
    }

    /// Whether it can be called in the place of another: records are read as that one takes them.
    pub(crate) fn takes_the_same(&self, other: &Component) -> bool {
        self.0.inner.has_type_of(&other.0.inner)
    }
}

impl Consume for Component {
    fn consume(&self, arguments: Vec<Value>) -> BoxFuture<'static, Result<Value, CallError>> {
        let function = self.0.clone();
        Box::pin(async move {
            let context = CallContext { request_id: Some(RequestId::new()), ..Default::default() };
            let called = function.call(arguments, &context, has_rejected).await;
            let result = called.map_err(call_error)?;
            result.ok_or_else(|| CallError::Failed("it answered nothing".to_owned()))
        })
    }

    fn revision(&self) -> String {
        self.0.inner.revision().to_string()
    }
}

/// Whether there is an outcome that sends a record to the dead letters: the third case.
fn has_rejected(outcomes: &Value) -> bool {
    let Value::List(outcomes) = outcomes else { return false };
    outcomes.iter().any(|outcome| matches!(outcome, Value::Variant(2, _)))
}

/// Whether a record may be at fault. Arguments that do not fit mean that the component was built
/// for another contract, which no record can help.
fn call_error(error: ward_runtime::CallError) -> CallError {
    use ward_runtime::CallError as Error;
    let text = error.to_string();
    match error {
        Error::Deadline | Error::Trapped(_) => CallError::Failed(text),
        Error::Instantiate(_) | Error::Overloaded | Error::Arguments(_) => {
            CallError::Unavailable(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use ward_events::CallError;
    use ward_runtime::CallError as Error;

    use super::call_error;

    #[test]
    fn only_what_a_record_may_have_caused_counts_against_it() {
        let failed = |error| matches!(call_error(error), CallError::Failed(_));
        assert!(failed(Error::Deadline) && failed(Error::Trapped("x".to_owned())));
        assert!(!failed(Error::Overloaded) && !failed(Error::Instantiate("x".to_owned())));
        assert!(!failed(Error::Arguments("x".to_owned())));
    }
}
