//! Where the services' databases come from: addresses the user gives, a server the user names, or
//! the embedded one. The result is a value for each database variable that nobody gave, and for the
//! others that the manifest has ward fill in.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;
use ward_embedded::{
    EmbeddedError, ExistingRole, Options, Origin, Owner, Postgres, StateLock, ensure_database,
    ensure_pruner, pruner_of,
};
use ward_manifest::{Database, KafkaSettings, KeyPair, KeyValueKind, Variables};
use ward_postgres::{Address, Endpoint};

use crate::application::Application;
use crate::cli::ConfigArgs;
use crate::database::{address, away, connect};
use crate::events::LogKind;
use crate::failure::Failure;
use crate::keys;
use crate::progress::Progress;
use crate::secrets::Secrets;
use crate::signals::Stop;

/// The database and role of the embedded event log.
pub(crate) const EVENT_LOG: &str = "events";

/// The database and role of the key-value stores that are kept in PostgreSQL.
const KEY_VALUE: &str = "key_value";

/// The oldest server that is supported, as the server writes it.
const SERVER_VERSION_MIN: i32 = 150_000;

/// Values by variable.
pub(crate) type Values = BTreeMap<String, String>;

/// What ward itself provides, and the server it has to stop in the end.
pub(crate) struct Provision {
    /// What was made for the application.
    pub(crate) made: Made,
    /// What keeps the state directory ours.
    backing: Backing,
}

/// What is made for an application on a server.
#[derive(Default)]
pub(crate) struct Made {
    /// The variables that nobody gave.
    pub(crate) values: Values,
    /// The administrator's address of each service's database that ward has made, by its name.
    pub(crate) administrators: BTreeMap<String, String>,
    /// The address of the role that may prune a service's database, by the database's name.
    pub(crate) pruners: BTreeMap<String, String>,
    /// The address of the embedded event log's database, where events go through that.
    pub(crate) event_log: Option<String>,
    /// The address of the key-value stores' database, where some are kept in PostgreSQL.
    pub(crate) key_value: Option<String>,
}

/// Either has the lock of the state directory.
enum Backing {
    Embedded(Postgres),
    Elsewhere { _lock: StateLock },
}

impl Provision {
    /// Starts or reaches the server, and makes roles, databases and keys that are wanted; `None`
    /// where a stop was asked for meanwhile, and nothing is left that was started.
    pub(crate) async fn new(
        application: &Application,
        config: &ConfigArgs,
        progress: Progress,
        stop: &Stop,
    ) -> Result<Option<Self>, Failure> {
        let databases = application.databases();
        let given = given(application)?;
        let pairs = keys::missing(application, &given)?;
        let missing: Vec<_> =
            databases.iter().copied().filter(|d| !given.contains(&d.variable)).collect();
        let backing = match missing.is_empty() || config.database_url.is_some() {
            true => Backing::Elsewhere { _lock: lock(application)? },
            false => match server(application, progress, stop).await? {
                Some(server) => Backing::Embedded(server),
                None => return Ok(None),
            },
        };
        let wanted = Wanted { application, config, given: &given, missing: &missing };
        let made = tokio::select! {
            biased;
            () = stop.clone().requested() => Ok(None),
            made = wanted.make(&pairs, &backing, progress) => made.map(Some),
        };
        match (made, backing) {
            (Ok(Some(made)), backing) => Ok(Some(Self { made, backing })),
            (other, Backing::Embedded(server)) => {
                server.stop().await?;
                other.map(|_| None)
            }
            (other, Backing::Elsewhere { .. }) => other.map(|_| None),
        }
    }

    /// The same for a command that says nothing of it; signals end it as they end any.
    pub(crate) async fn quietly(
        application: &Application,
        config: &ConfigArgs,
    ) -> Result<Self, Failure> {
        let provision = Self::new(application, config, Progress::Quiet, &Stop::never()).await?;
        provision.ok_or_else(|| Failure::new("interrupted"))
    }

    /// Stops what was started.
    pub(crate) async fn stop(self, progress: Progress) -> Result<(), Failure> {
        let Backing::Embedded(server) = self.backing else { return Ok(()) };
        let phase = progress.phase("stopping PostgreSQL");
        server.stop().await?;
        phase.done("PostgreSQL stopped");
        Ok(())
    }
}

/// What is to be made on a server.
struct Wanted<'a> {
    application: &'a Application,
    config: &'a ConfigArgs,
    /// Variables that have a value.
    given: &'a BTreeSet<String>,
    /// Databases that have none.
    missing: &'a [&'a Database],
}

impl Wanted<'_> {
    async fn make(
        &self,
        pairs: &[&KeyPair],
        backing: &Backing,
        progress: Progress,
    ) -> Result<Made, Failure> {
        let Wanted { application, config, .. } = *self;
        let mut made = match (backing, config.database_url.as_deref()) {
            (Backing::Embedded(server), _) => roles(application, self.missing, server).await?,
            (_, Some(url)) if !self.missing.is_empty() => {
                on_server(application, self.missing, url, progress).await?
            }
            _ => Made { values: given_host(application, self.given)?, ..Made::default() },
        };
        made.values.extend(keys::load_or_generate_all(&application.state, pairs)?);
        made.event_log = event_log(application, backing, config).await?;
        made.key_value = key_value(application, backing, config).await?;
        if made.event_log.is_some() {
            // It has a variable for another log's address, which is not asked for.
            let kafka = application.app.kafka.as_ref();
            let brokers = kafka.and_then(KafkaSettings::broker_variable);
            made.values.extend(brokers.map(|variable| (variable, String::new())));
        }
        Ok(made)
    }
}

/// Whether a ward has the state directory. Where that cannot be told, whatever it serves is asked
/// and its silence is the message.
pub(crate) fn is_running(application: &Application) -> bool {
    StateLock::acquire(&application.state).is_err()
}

/// What the ward provides that has the state directory, as it left it there: values, and the
/// address of the key-value stores' database.
pub(crate) fn of_running(
    application: &Application,
    config: &ConfigArgs,
) -> Result<(Values, Option<String>), Failure> {
    let given = given(application)?;
    let pairs = keys::missing(application, &given)?;
    let mut values = keys::load_or_generate_all(&application.state, &pairs)?;
    let secrets = Secrets::load(&application.state)?;
    for database in application.databases() {
        if !given.contains(&database.variable) {
            let url = secrets.url(&database.name).ok_or_else(|| {
                Failure::new(format!("the ward that runs has no database {} yet", database.name))
                    .help("try again once it says that it is ready")
            })?;
            values.insert(database.variable.clone(), url.to_owned());
        }
    }
    let variables = application.variables(&values)?;
    values.extend(host_of_databases(application, &variables, &given));
    let key_value = config.key_value_url.as_deref().or_else(|| secrets.url(KEY_VALUE));
    Ok((values, key_value.map(str::to_owned)))
}

/// The addresses of the roles that may prune the services' databases, as the ward left them that
/// has the state directory, by the databases' names.
pub(crate) fn pruners_of_running(application: &Application) -> Result<Values, Failure> {
    let secrets = Secrets::load(&application.state)?;
    let pruner = |database: &&Database| {
        let url = secrets.url(&pruner_of(&database.name))?;
        Some((database.name.clone(), url.to_owned()))
    };
    Ok(application.databases().iter().filter_map(pruner).collect())
}

/// Makes the database of the embedded event log, where events go through that; its address. That
/// there can be none is said and stops nothing: events wait.
async fn event_log(
    application: &Application,
    backing: &Backing,
    config: &ConfigArgs,
) -> Result<Option<String>, Failure> {
    let Some(settings) = &application.app.kafka else { return Ok(None) };
    if LogKind::of(application, settings)? == LogKind::Kafka {
        return Ok(None);
    }
    let given = config.event_log_url.as_ref();
    let url = own_database(application, backing, config, (EVENT_LOG, given)).await?;
    if url.is_none() {
        tracing::warn!(
            "events wait in their outboxes: there is no PostgreSQL to keep them in; name one \
             with --event-log-url or --database-url, or Kafka with --kafka-brokers"
        );
    }
    Ok(url)
}

/// Makes the database of the key-value stores that are kept in PostgreSQL, where there are any; its
/// address. Without one there is nowhere to look what they have.
async fn key_value(
    application: &Application,
    backing: &Backing,
    config: &ConfigArgs,
) -> Result<Option<String>, Failure> {
    let Application { app, config: runtime, .. } = application;
    let mut stores = app.settings.stores_besides(runtime);
    if !stores.any(|(_, kind)| kind == KeyValueKind::Postgres) {
        return Ok(None);
    }
    let given = config.key_value_url.as_ref();
    own_database(application, backing, config, (KEY_VALUE, given)).await
}

/// A database of ward's own beside the services', unless the user has given its address: on the
/// server that they are made on. With a server that only the services' own addresses lead to there
/// can be none.
async fn own_database(
    application: &Application,
    backing: &Backing,
    config: &ConfigArgs,
    (name, given): (&str, Option<&String>),
) -> Result<Option<String>, Failure> {
    if let Some(url) = given {
        return Ok(Some(url.clone()));
    }
    if application.databases().iter().any(|database| database.name == name) {
        let text = format!("the database {name} is ward's own and a component's");
        return Err(Failure::new(text).help("give the component's another name"));
    }
    let mut secrets = Secrets::load(&application.state)?;
    let password = secrets.password(name)?;
    let url = match (backing, config.database_url.as_deref()) {
        (Backing::Embedded(server), _) => {
            let client = server.client().await?;
            let existing = ExistingRole::SetPassword;
            ensure_database(&client, name, &password, existing, Owner::Itself).await?;
            local_url(server, name, &password)
        }
        (Backing::Elsewhere { .. }, Some(admin_url)) => {
            let admin = connect(admin_url).await?;
            let existing = ExistingRole::KeepPassword;
            ensure_database(&admin, name, &password, existing, Owner::Itself).await?;
            address(admin_url)?.for_role(name, &password)
        }
        (Backing::Elsewhere { .. }, None) => return Ok(None),
    };
    secrets.remember_url(name, &url)?;
    Ok(Some(url))
}

/// Which of the variables that ward would fill in the user has given; an error where one that it
/// would not has no value, or any has one that it may not have.
pub(crate) fn given(application: &Application) -> Result<BTreeSet<String>, Failure> {
    application.given(&wanted_names(application, &application.databases()))
}

/// The variables before anything was started, as [`given`] looks at them.
pub(crate) fn early(application: &Application) -> Result<Variables, Failure> {
    application.early(&wanted_names(application, &application.databases()))
}

/// The variables ward can fill in: the databases', their host, and the key pairs.
fn wanted_names(application: &Application, databases: &[&Database]) -> BTreeSet<String> {
    let mut names: BTreeSet<_> = databases.iter().map(|d| d.variable.clone()).collect();
    names.extend(application.app.settings.database_host.clone());
    names.extend(keys::variables(application));
    names
}

/// The variable for the server's hosts with its value, where the application has one.
fn host_value(application: &Application, hosts: String) -> BTreeMap<String, String> {
    let variable = application.app.settings.database_host.clone();
    variable.map(|variable| (variable, hosts)).into_iter().collect()
}

fn lock(application: &Application) -> Result<StateLock, Failure> {
    let state = &application.state;
    std::fs::create_dir_all(state)
        .map_err(Failure::because(format!("creating {}", state.display())))?;
    Ok(StateLock::acquire(state)?)
}

/// With all addresses given, the hosts are those of the first, unless they are given too.
fn given_host(application: &Application, given: &BTreeSet<String>) -> Result<Values, Failure> {
    let host = application.app.settings.database_host.as_ref();
    let names = host.cloned().into_iter().chain(keys::variables(application));
    let variables = application.variables(&names.map(|name| (name, String::new())).collect())?;
    Ok(host_of_databases(application, &variables, given))
}

/// The variable for the server's hosts, unless it is given, with those of the first database.
fn host_of_databases(
    application: &Application,
    variables: &Variables,
    given: &BTreeSet<String>,
) -> Values {
    let host = application.app.settings.database_host.as_ref();
    let databases = application.databases();
    let wanted = host.is_some_and(|variable| !given.contains(variable));
    let Some(first) = databases.first().filter(|_| wanted) else { return Values::new() };
    // What is no address is reported where it is first used.
    let first = variables.app_value(&first.variable).and_then(|url| Address::parse(url).ok());
    let hosts = first.and_then(|address| hosts(&address));
    hosts.map(|hosts| host_value(application, hosts)).unwrap_or_default()
}

/// Starts the embedded server; `None` where it is not wanted any more.
async fn server(
    application: &Application,
    progress: Progress,
    stop: &Stop,
) -> Result<Option<Postgres>, Failure> {
    let phase = progress.phase("starting PostgreSQL");
    let options = Options {
        state: application.state.clone(),
        install: true,
        progress: phase.notes(),
        unwanted: Box::pin(stop.clone().requested()),
    };
    let server = match Postgres::start(options).await {
        Err(EmbeddedError::Unwanted) => return Ok(None),
        started => started?,
    };
    let how = match server.origin() {
        Origin::Created => "ready, new and empty",
        Origin::Started => "ready",
        Origin::Adopted => "ready, was running already",
    };
    phase.done(&format!("PostgreSQL {} {how}", server.version()));
    Ok(Some(server))
}

async fn roles(
    application: &Application,
    databases: &[&Database],
    server: &Postgres,
) -> Result<Made, Failure> {
    let admin_url = address(&server.admin_url())?;
    let client = server.client().await?;
    let (host, existing) = (server.host(), ExistingRole::SetPassword);
    let url = |name: &str, password: &str| local_url(server, name, password);
    make(application, databases, (&client, &admin_url, existing), host, url).await
}

/// Makes the databases and roles, by way of an administrator; `url` is a role's address.
async fn make(
    application: &Application,
    databases: &[&Database],
    (admin, admin_url, existing): (&Client, &Address, ExistingRole),
    host: String,
    url: impl Fn(&str, &str) -> String,
) -> Result<Made, Failure> {
    let mut secrets = Secrets::load(&application.state)?;
    let values = host_value(application, host);
    let mut made = Made { values, ..Made::default() };
    for database in databases {
        let name = &database.name;
        let password = secrets.password(name)?;
        ensure_database(admin, name, &password, existing, Owner::Apart).await?;
        let own = url(name, &password);
        secrets.remember_url(name, &own)?;
        made.values.insert(database.variable.clone(), own);
        made.administrators.insert(name.clone(), admin_url.for_database(name));
        if database.prune.is_some() {
            let role = pruner_of(name);
            let password = secrets.password(&role)?;
            ensure_pruner(admin, name, &password, existing).await?;
            let url = address(&url(&role, &password))?.for_database(name);
            secrets.remember_url(&role, &url)?;
            made.pruners.insert(name.clone(), url);
        }
    }
    Ok(made)
}

/// The address of a role's database on the embedded server.
fn local_url(server: &Postgres, name: &str, password: &str) -> String {
    let url = ward_embedded::database_url(&server.host(), name, password, name);
    // Loopback without certificates: asking for TLS first would cost a round trip.
    format!("{url}?sslmode=disable")
}

async fn on_server(
    application: &Application,
    databases: &[&Database],
    admin_url: &str,
    progress: Progress,
) -> Result<Made, Failure> {
    let address = address(admin_url)?;
    let host = hosts(&address).ok_or_else(|| {
        Failure::new("--database-url names a Unix socket, which components cannot use")
            .help("name the server by its host, as in postgres://user:password@localhost/database")
    })?;
    let phase = progress.phase("reaching PostgreSQL");
    let admin = phase.saying(&away(&host), connect(admin_url)).await?;
    check_version(&admin).await?;
    let administrator = (&admin, &address, ExistingRole::KeepPassword);
    let url = |name: &str, password: &str| address.for_role(name, password);
    let made = make(application, databases, administrator, host.clone(), url);
    let made = phase.saying(&still_making(), made).await?;
    phase.done(&format!("PostgreSQL at {host} ready"));
    Ok(made)
}

/// What is said of databases that take long to be made.
fn still_making() -> String {
    let most = ward_embedded::LOCK_MAX.as_secs();
    format!("still making databases; another ward that is at one is waited for, {most} s at most")
}

/// Refuses servers that are too old, by their own word.
pub(crate) async fn check_version(client: &Client) -> Result<String, Failure> {
    let sql =
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')";
    let row = client
        .query_one(sql, &[])
        .await
        .map_err(|error| crate::database::sql_error("asking the server's version", &error))?;
    let (number, text): (i32, String) = (row.get(0), row.get(1));
    match number >= SERVER_VERSION_MIN {
        true => Ok(text),
        false => Err(Failure::new(format!("the server is PostgreSQL {text}; ward needs 15"))),
    }
}

/// Every `host:port` that a component needs leave for, as a list with commas; `None` where it
/// would take more than leave.
fn hosts(address: &Address) -> Option<String> {
    let mut hosts = Vec::new();
    for endpoint in address.endpoints() {
        let Endpoint::Tcp { host, address, port } = endpoint else { return None };
        hosts.push(endpoint.to_string());
        if let Some(address) = address.filter(|address| address.to_string() != *host) {
            hosts.push(std::net::SocketAddr::new(address, *port).to_string());
        }
    }
    Some(hosts.join(","))
}

#[cfg(test)]
mod tests {
    use ward_postgres::Address;

    use super::hosts;

    #[test]
    fn hosts_are_all_that_need_leave() {
        for (address, expected) in [
            ("postgres://u@db.example.org/x", Some("db.example.org:5432")),
            ("postgres://u@[::1]:6000/x", Some("[::1]:6000")),
            ("host=a,b port=1,2", Some("a:1,b:2")),
            ("host=a hostaddr=::1", Some("a:5432,[::1]:5432")),
            ("host=/run", None),
        ] {
            let found = hosts(&Address::parse(address).unwrap());
            assert_eq!(found.as_deref(), expected, "{address}");
        }
    }
}
