//! Servers of others that an application is to use: each is connected to, with what was given, and
//! named. An address is shown only as far as it says where.

use std::collections::{BTreeMap, BTreeSet};

use ward_embedded::{ensure_installed, how_to_install, installations};
use ward_events::{Connection, Seen};
use ward_manifest::{App, KafkaSettings, KeyValueKind};

use super::{Finding, Status};
use crate::application::{Application, is_given};
use crate::cli::{ConfigArgs, DoctorArgs};
use crate::database::connect;
use crate::events::{LogKind, broker_of, topics};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::provision::check_version;

/// PostgreSQL: the servers of the addresses that were given, or else the programs to run one.
pub(super) async fn postgresql(args: &DoctorArgs, has_app: bool) -> Vec<Finding> {
    let services = match has_app.then(|| Application::load(&args.from, &args.config)) {
        Some(Ok(application)) => given_databases(&application, &args.config),
        // What is wrong there is the manifest check's finding.
        Some(Err(_)) | None => Given::default(),
    };
    let mut findings = Vec::new();
    if let Some(url) = &args.config.database_url {
        findings.push(server("--database-url", url).await);
    }
    for (variable, url) in &services.addresses {
        findings.push(server(&format!("the address in `{variable}`"), url).await);
    }
    if let Some(url) = &args.config.event_log_url {
        findings.push(server("--event-log-url", url).await);
    }
    if let Some(url) = &args.config.key_value_url {
        findings.push(server("--key-value-url", url).await);
    }
    if args.config.database_url.is_none() {
        match services.are_all {
            true => findings.extend(services.homeless.map(homeless)),
            false => findings.push(programs(args.fix)),
        }
    }
    findings
}

/// A key-value store that would have nowhere to be.
fn homeless(label: String) -> Finding {
    let text = format!("the key-value store `{label}` is kept in PostgreSQL, and there is none");
    Finding::error(text, "name one with --key-value-url or --database-url")
}

async fn server(what: &str, url: &str) -> Finding {
    let version = async { check_version(&connect(url).await?).await };
    match version.await {
        Ok(version) => Finding::ok(format!("PostgreSQL {version} answers at {what}")),
        Err(failure) => {
            let text = format!("{what}: {}", failure.messages().join("; "));
            Finding::new(Status::Error, text, failure.advice().map(str::to_owned))
        }
    }
}

/// Addresses of services' databases that the user gives, by their variables.
#[derive(Default)]
struct Given {
    addresses: BTreeMap<String, String>,
    /// No service needs a database of ward's making.
    are_all: bool,
    /// A key-value store that is kept in PostgreSQL, if no address was given for it.
    homeless: Option<String>,
}

fn given_databases(application: &Application, args: &ConfigArgs) -> Given {
    // Other variables may have no value yet; what is wrong with them is said at the start.
    let every: BTreeSet<String> = application.app.variables.keys().cloned().collect();
    let known = application.variables(&application.nothing(&every));
    let Ok(variables) = known else { return Given::default() };
    let databases = application.databases();
    let own = databases.iter().map(|database| &database.variable);
    let own: Vec<&String> = own.filter(|name| is_given(&variables, name)).collect();
    let are_all = own.len() == databases.len() && !databases.is_empty();
    let address = |name: &String| Some((name.clone(), variables.app_value(name)?.to_owned()));
    let stores = application.app.settings.stores_besides(&application.config);
    let mut shared = stores.filter(|(_, kind)| *kind == KeyValueKind::Postgres);
    let homeless = shared.next().filter(|_| args.key_value_url.is_none());
    Given {
        addresses: own.into_iter().filter_map(address).collect(),
        are_all,
        homeless: homeless.map(|(label, _)| label.to_owned()),
    }
}

fn programs(fix: bool) -> Finding {
    if fix {
        let installing = Progress::Lines.phase("installing PostgreSQL");
        if let Err(error) = ensure_installed(&installing.notes()) {
            return Failure::from(error).into();
        }
    }
    match installations().first() {
        Some(found) => {
            Finding::ok(format!("PostgreSQL {} in {}", found.version, found.bindir.display()))
        }
        None => Finding::error("no PostgreSQL 15 or newer was found", how_to_install()),
    }
}

/// What events go through, where the application has any.
pub(super) async fn broker(args: &DoctorArgs, app: &App) -> Vec<Finding> {
    let Some(settings) = &app.kafka else { return Vec::new() };
    let connection = match given_broker(args, settings) {
        Ok(Some(connection)) => connection,
        Ok(None) => {
            return vec![Finding::ok("none is needed: events go through PostgreSQL")];
        }
        Err(failure) => return vec![failure.into()],
    };
    seen(app, settings, &connection).await
}

/// The broker that the user names, with settings that a client can be made with; `None` where none
/// is needed.
fn given_broker(
    args: &DoctorArgs,
    settings: &KafkaSettings,
) -> Result<Option<Connection>, Failure> {
    let application = Application::load(&args.from, &args.config)?;
    if LogKind::of(&application, settings)? == LogKind::Embedded {
        return Ok(None);
    }
    let empty = || {
        Failure::new("the address of the Kafka broker is empty; events would wait")
            .help("give one with --kafka-brokers, or none to have them in PostgreSQL")
    };
    broker_of(&application, settings)?.ok_or_else(empty).map(Some)
}

async fn seen(app: &App, settings: &KafkaSettings, connection: &Connection) -> Vec<Finding> {
    let given = connection.brokers();
    match connection.look(&topics(app)).await {
        Ok(Seen { advertised, missing }) => {
            let mut text = format!("Kafka answers at {given}");
            if advertised.join(",") != given {
                text.push_str(&format!(", advertised as {}", advertised.join(", ")));
            }
            if !missing.is_empty() {
                text.push_str(&format!("; topics yet to be made: {}", missing.join(", ")));
            }
            let answers = Finding::ok(text);
            let mut forgetting = forgetting(app, settings);
            forgetting.retain(|topic| !missing.contains(topic));
            if forgetting.is_empty() {
                return vec![answers];
            }
            let longer = connection.keeping_longer(&forgetting, settings.keep_records).await;
            std::iter::once(answers).chain(kept(longer)).collect()
        }
        Err(trouble) => {
            let text = format!("Kafka at {given} cannot be used: {trouble}");
            let help = "start it or mend its address; events wait for it, and they alone";
            vec![Finding::error(text, help)]
        }
    }
}

/// The topics with events of what may be erased, and their dead letters. A broker forgets these by
/// time alone.
fn forgetting(app: &App, settings: &KafkaSettings) -> Vec<String> {
    let erased = settings.outboxes.iter().filter(|outbox| !outbox.erased_by.is_empty());
    let mut topics: BTreeSet<String> = erased.map(|outbox| outbox.topic.clone()).collect();
    let letters = app.kafka_triggers.iter().flat_map(|trigger| {
        let own = trigger.topics.iter().filter(|topic| topics.contains(*topic));
        own.map(move |topic| trigger.dead_letter_of(topic))
    });
    let letters: Vec<String> = letters.collect();
    topics.extend(letters);
    topics.into_iter().collect()
}

/// What is said of topics that keep records for longer than `keep_records` and a day.
fn kept(longer: Result<Vec<String>, String>) -> Option<Finding> {
    let text = match longer {
        Ok(longer) if longer.is_empty() => return None,
        Ok(longer) => format!(
            "what was erased stays for longer than `keep_records` and a day in {}",
            longer.join(", ")
        ),
        Err(reason) => format!("for how long topics keep what was erased cannot be said: {reason}"),
    };
    let help = "retention.ms has to be `keep_records` at most, segment.ms a day, and \
        cleanup.policy to have `delete`: docs/erasure.md";
    Some(Finding::new(Status::Warning, text, Some(help.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_keep_what_was_erased_are_a_warning() {
        let said = |longer: Result<&[&str], &str>| {
            let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
            let finding = kept(longer.map(names).map_err(str::to_owned))?;
            assert_eq!(finding.status, Status::Warning);
            Some(finding.message)
        };
        assert_eq!(said(Ok(&[])), None);
        assert!(said(Ok(&["a", "a.dead"])).is_some_and(|text| text.ends_with("a, a.dead")));
        assert!(said(Err("no answer")).is_some_and(|text| text.ends_with("no answer")));
    }
}
