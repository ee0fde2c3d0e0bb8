//! The command line: every option of every command with its help. Options that `spin up` has too
//! keep Spin's names. Parsing only; nothing is looked up or done here.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ward_manifest::listen_address;

use crate::age::Age;

const EXAMPLES: &str = "\
Examples:
  ward up --build --demo     build the components, start everything, load demo data
  ward up --listen 127.0.0.1:8080
  ward doctor                check what this machine lacks, and say what to do

Exit codes: 0 done, or stopped as asked; 1 something failed; 2 wrong usage; 130 stopped
at once by a second signal.";

const UP_EXAMPLES: &str = "\
Examples:
  ward up --build --demo
  ward up --listen 127.0.0.1:8080 --no-listeners
  ward up --variable issuer=https://example.org --variable @variables.toml
  WARD_DATABASE_URL=postgres://admin:…@db.example.org/postgres ward up

PostgreSQL: unless the application's database variables are all given, ward runs a
server of its own under the state directory, or makes roles and databases on the one
of --database-url.

Logs go to standard error; WARD_LOG or RUST_LOG filters them (WARD_LOG=debug). Ctrl-C
or SIGTERM finishes requests, then stops PostgreSQL; a second one stops at once.";

/// Runs WASI components described by spin.toml, with PostgreSQL beside them
#[derive(Debug, Parser)]
#[command(name = "ward", version, after_help = EXAMPLES, max_term_width = 88)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads the command line. On --help and --version (code 0) and on wrong usage (code 2) the
    /// process ends here.
    pub(crate) fn read() -> Self {
        let matches = without_empty_variables(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// An environment variable that is set to nothing, as Compose passes on what nobody has set, counts
/// as one that is not set.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &clap::Arg| {
        arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty())
    };
    command
        .mut_args(|arg| if is_empty(&arg) { arg.env(None::<&'static str>) } else { arg })
        .mut_subcommands(without_empty_variables)
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the application and serve it
    Up(Box<UpArgs>),
    /// Build the components, each by the command in spin.toml
    Build(BuildArgs),
    /// Bring the databases to the newest migration, and stop
    Migrate(DatabasesArgs),
    /// Show the application: triggers, links between components, what each was granted
    App(AppArgs),
    /// Check what is needed to run, and say what to do about what is missing
    Doctor(DoctorArgs),
    /// Check the contracts, or print what follows from them
    #[command(subcommand)]
    Wit(WitCommand),
    /// Look at events, send some, and move their consumers
    Events(Box<EventsArgs>),
    /// Look whether audit logs are as they were written, and remove what is old
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Add users, list them, disable them, and set their passwords
    User(Box<UserArgs>),
    /// Rotate the keys that ward made
    Keys(Box<KeysArgs>),
    /// Put another build in the place of a component of a ward that runs, while it serves
    Swap(SwapArgs),
    /// Give a build that is on trial more of what begins, or all
    Promote(PromoteArgs),
    /// Take a build that is on trial back, or put the one before the present one back
    Rollback(RollbackArgs),
    /// Show which builds the components of a ward that runs have had
    Revisions(RevisionsArgs),
    /// Print a script that completes ward's commands and options in a shell
    Completions(CompletionsArgs),
}

/// Which application.
#[derive(Debug, Clone, Args)]
pub(crate) struct FromArgs {
    /// The manifest, or the directory it is in
    #[arg(short = 'f', long = "from", value_name = "PATH", default_value = "spin.toml")]
    pub(crate) from: PathBuf,
}

/// The same, before or behind a command's own commands.
#[derive(Debug, Clone, Args)]
pub(crate) struct FromAnywhereArgs {
    /// The manifest, or the directory it is in
    #[arg(
        short = 'f',
        long = "from",
        value_name = "PATH",
        default_value = "spin.toml",
        global = true
    )]
    pub(crate) from: PathBuf,
}

/// Where state is kept and how the application is configured.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    /// Set a variable: NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml; may be repeated
    #[arg(long = "variable", value_name = "NAME=VALUE", global = true)]
    pub(crate) variables: Vec<String>,

    /// Where variables and stores come from
    #[arg(long, value_name = "PATH", env = "RUNTIME_CONFIG_FILE", global = true)]
    pub(crate) runtime_config_file: Option<PathBuf>,

    /// Where data, keys and passwords are kept [default: .ward beside the manifest]
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) state_dir: Option<PathBuf>,

    /// An administrator's address on a PostgreSQL that already runs; roles and databases are made
    /// there
    #[arg(
        long,
        value_name = "URL",
        env = "WARD_DATABASE_URL",
        hide_env_values = true,
        global = true
    )]
    pub(crate) database_url: Option<String>,

    /// Kafka brokers for events: HOST:PORT (9092 where it is left out), several with commas between
    /// [default: tables in PostgreSQL]
    #[arg(
        long = "kafka-brokers",
        value_name = "ADDRESSES",
        env = "WARD_KAFKA_BROKERS",
        hide_env_values = true,
        global = true
    )]
    pub(crate) brokers: Option<String>,

    /// A PostgreSQL database that several wards keep events in [default: `events` beside the
    /// others]
    #[arg(
        long,
        value_name = "URL",
        env = "WARD_EVENT_LOG_URL",
        hide_env_values = true,
        global = true
    )]
    pub(crate) event_log_url: Option<String>,

    /// A PostgreSQL database that several wards keep key-value stores in [default: `key_value`
    /// beside the others]
    #[arg(
        long,
        value_name = "URL",
        env = "WARD_KEY_VALUE_URL",
        hide_env_values = true,
        global = true
    )]
    pub(crate) key_value_url: Option<String>,
}

/// How much is said, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// Say nothing but warnings and errors; drop what components print
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// How log lines are written: plain for people, json with one object a line
    #[arg(long, value_name = "FORMAT", default_value = "plain", hide_possible_values = true)]
    pub(crate) log_format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Plain,
    /// One JSON object a line
    Json,
}

/// `ward up`
#[derive(Debug, Args)]
#[command(after_help = UP_EXAMPLES)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) from: FromArgs,

    /// Build the components first
    #[arg(long)]
    pub(crate) build: bool,

    /// Build a component again when its sources change, and put it in its own place while it serves
    #[arg(long)]
    pub(crate) watch: bool,

    /// Load demo data into databases that are empty
    #[arg(long)]
    pub(crate) demo: bool,

    /// Where to serve: 127.0.0.1:4004, [::1]:4004, a name such as localhost:4004, or :4004 for
    /// every
    /// IPv4 address; port 0 is a free one [default: the manifest's]
    #[arg(long, value_name = "HOST:PORT", env = "SPIN_HTTP_LISTEN_ADDR", value_parser = listener)]
    pub(crate) listen: Option<SocketAddr>,

    /// Where to serve gRPC, written like --listen [default: `listen` of the gRPC trigger, or
    /// 127.0.0.1:9001]
    #[arg(long, value_name = "HOST:PORT", value_parser = listener)]
    pub(crate) grpc_listen: Option<SocketAddr>,

    /// Where operators look, written like --listen: /livez, /readyz, /metrics and, with a token,
    /// what
    /// replaces components [default: 127.0.0.1:4006]
    #[arg(long, value_name = "HOST:PORT", value_parser = listener)]
    pub(crate) ops: Option<SocketAddr>,

    /// The certificate to serve with, in PEM, for every listener; read again when it changes
    /// [default: `tls` in the manifest, or clear text]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Do not give components ports of their own beside the gateway
    #[arg(long)]
    pub(crate) no_listeners: bool,

    /// Set an environment variable for every component; may be repeated
    #[arg(short, long = "env", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) env: Vec<(String, String)>,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A ward that runs.
#[derive(Debug, Args)]
pub(crate) struct OpsArgs {
    /// Where its operators' listener is
    #[arg(long, value_name = "HOST:PORT", env = "WARD_OPS", default_value = "127.0.0.1:4006")]
    pub(crate) ops: String,

    #[command(flatten)]
    pub(crate) from: FromArgs,

    /// Where its token is kept [default: .ward beside the manifest]
    #[arg(long, value_name = "PATH")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// `ward swap`
#[derive(Debug, Args)]
pub(crate) struct SwapArgs {
    /// The component's id in the manifest; what contains it is made anew with it
    #[arg(value_name = "COMPONENT")]
    pub(crate) component: String,

    /// The other build
    #[arg(value_name = "FILE.WASM")]
    pub(crate) file: PathBuf,

    /// Answer only so much of what begins with it, and take it back if it is worse
    #[arg(long, value_name = "PERCENT", default_value_t = 100,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) percent: u8,

    /// What comes next where it is not worse, such as 25,50,100
    #[arg(long, value_name = "PERCENTS", requires = "percent")]
    pub(crate) steps: Option<String>,

    /// How long after the step before each comes
    #[arg(long, value_name = "SECONDS", default_value = "60s", requires = "steps")]
    pub(crate) every: String,

    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// `ward promote`
#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The component's id in the manifest
    #[arg(value_name = "COMPONENT")]
    pub(crate) component: String,

    /// How much of what begins is answered by the candidate from now on; all of it by default
    #[arg(long, value_name = "PERCENT", default_value_t = 100,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) percent: u8,

    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// `ward rollback`
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The component's id in the manifest
    #[arg(value_name = "COMPONENT")]
    pub(crate) component: String,

    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// `ward revisions`
#[derive(Debug, Args)]
pub(crate) struct RevisionsArgs {
    /// How they are written: table for people, json with one array
    #[arg(long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(crate) format: AppFormat,

    #[command(flatten)]
    pub(crate) ops: OpsArgs,
}

/// `ward build`
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) from: FromArgs,

    /// Build only this component; may be repeated
    #[arg(short, long = "component-id", value_name = "ID")]
    pub(crate) component_ids: Vec<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `ward migrate` and `ward audit`, which go over the services' databases
#[derive(Debug, Args)]
pub(crate) struct DatabasesArgs {
    #[command(flatten)]
    pub(crate) from: FromArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `ward audit`
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Go over every row of every service's audit log, and name the first that is not as it was
    /// written
    Verify(VerifyArgs),
    /// Remove from every service's audit log what is older, as a role that may do nothing else
    Prune(PruneArgs),
}

/// `ward audit verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) databases: DatabasesArgs,

    /// Print the end of each lane of the logs as well, to be kept elsewhere
    #[arg(long)]
    pub(crate) heads: bool,

    /// What was kept: a log without one of these ends is not what it was
    #[arg(long, value_name = "FILE")]
    pub(crate) kept: Option<PathBuf>,
}

/// `ward audit prune`
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) databases: DatabasesArgs,

    /// What is older than this goes: years or days, such as 6y or 2200d
    #[arg(long, value_name = "AGE")]
    pub(crate) older_than: Age,

    /// Remove what is younger than six years as well, for which many laws say that it has to stay
    #[arg(long)]
    pub(crate) force: bool,
}

/// `ward app`
#[derive(Debug, Args)]
pub(crate) struct AppArgs {
    #[command(flatten)]
    pub(crate) from: FromArgs,

    /// How it is written: table for people, json with one object
    #[arg(long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(crate) format: AppFormat,
}

/// How `ward app` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AppFormat {
    /// For people
    Table,
    /// One JSON object
    Json,
}

/// `ward doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) from: FromArgs,

    /// How findings are written: text for people, json with one object
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub(crate) format: DoctorFormat,

    /// Mend what can be mended: add the wasm target, install PostgreSQL
    #[arg(long)]
    pub(crate) fix: bool,

    /// Check only these, separated by commas: manifest, toolchain, target, components, memory,
    /// postgresql, broker, ports, state
    #[arg(long, value_name = "CHECKS", value_delimiter = ',', hide_possible_values = true)]
    pub(crate) only: Vec<Check>,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// How `ward doctor` writes its findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// What `ward doctor` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Check {
    /// spin.toml and the runtime configuration
    Manifest,
    /// The Rust toolchain, where components are built with cargo
    Toolchain,
    /// The wasm32-wasip2 target
    Target,
    /// The components' wasm files
    Components,
    /// Address space for instances
    Memory,
    /// PostgreSQL's server programs, or the servers of the addresses that were given
    Postgresql,
    /// The Kafka broker, where one is given for events
    Broker,
    /// The ports to listen on
    Ports,
    /// The state directory
    State,
}

/// `ward wit`
#[derive(Debug, Subcommand)]
pub(crate) enum WitCommand {
    /// Read the contracts, and compare them with those that were released
    Check(WitCheckArgs),
    /// Print the .proto file that clients of an interface use
    Proto(WitProtoArgs),
    /// Print what the topics of an application carry, as AsyncAPI
    Asyncapi(FromArgs),
}

/// `ward wit check`
#[derive(Debug, Args)]
pub(crate) struct WitCheckArgs {
    /// The contracts: a directory with one directory for each package
    #[arg(long, value_name = "DIR", default_value = "wit")]
    pub(crate) wit: PathBuf,

    /// Those that were released, in the same shape [default: `released` in the former]
    #[arg(long, value_name = "DIR")]
    pub(crate) released: Option<PathBuf>,
}

/// `ward wit proto`
#[derive(Debug, Args)]
pub(crate) struct WitProtoArgs {
    /// Such as shop:orders/orders@1.0.0; the version may be left out where there is only one
    /// [default: every interface that has functions]
    #[arg(value_name = "INTERFACE")]
    pub(crate) interfaces: Vec<String>,

    /// The contracts: a directory with one directory for each package
    #[arg(long, value_name = "DIR", default_value = "wit")]
    pub(crate) wit: PathBuf,

    /// The protobuf package, empty for none [default: from the WIT package's name and version]
    #[arg(long, value_name = "NAME")]
    pub(crate) package: Option<String>,

    /// The service's name [default: from the interface's name]
    #[arg(long, value_name = "NAME", requires = "interfaces")]
    pub(crate) service: Option<String>,

    /// A record that is no part of messages, because the trigger supplies it; may be repeated
    /// [default: `caller` of the gRPC trigger, where spin.toml is beside the contracts]
    #[arg(long, value_name = "TYPE")]
    pub(crate) ambient: Vec<String>,
}

/// `ward events`
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    #[command(subcommand)]
    pub(crate) command: EventsCommand,

    #[command(flatten)]
    pub(crate) from: FromArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// What to do with events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Print events as they come, one JSON object a line, with what may be about a person masked
    Tail(TailArgs),
    /// Send one event, given as JSON
    Produce(ProduceArgs),
    /// Move a consumer group to another place; its consumers have to be stopped
    Replay(ReplayArgs),
    /// List what could not be consumed, or send it again
    DeadLetters(DeadLettersArgs),
}

/// `ward keys`
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,

    #[command(flatten)]
    pub(crate) from: FromAnywhereArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Have another key sign from the next start on; what the last one signed stays good until the
    /// next rotation
    Rotate,
}

const USER_EXAMPLES: &str = "\
Examples:
  ward user add ann@example.com --role ADMIN         asks for the password
  ward user add ann@example.com --role ADMIN < file  its first line is the password
  ward user disable ann@example.com                  ends all sessions, too";

/// `ward user`
#[derive(Debug, Args)]
#[command(after_help = USER_EXAMPLES)]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    pub(crate) command: UserCommand,

    #[command(flatten)]
    pub(crate) from: FromAnywhereArgs,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user; the password is asked for, or read from standard input
    Add(UserAddArgs),
    /// List all users
    List(UserListArgs),
    /// Disable a user, who has no session any more
    Disable(UserNameArgs),
    /// Set a user's password; it is asked for, or read from standard input
    SetPassword(UserNameArgs),
}

/// `ward user add`
#[derive(Debug, Args)]
pub(crate) struct UserAddArgs {
    /// The e-mail address, with which the user logs in
    pub(crate) email: String,

    /// What the user may do, by a role that the application knows
    #[arg(long)]
    pub(crate) role: String,

    /// What others call the user [default: the e-mail address]
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// `ward user list`
#[derive(Debug, Args)]
pub(crate) struct UserListArgs {
    /// How it is written: table for people, json with one list
    #[arg(long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(crate) format: UserListFormat,
}

/// How `ward user list` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UserListFormat {
    /// For people
    Table,
    /// One JSON list
    Json,
}

/// A user, by the e-mail address.
#[derive(Debug, Args)]
pub(crate) struct UserNameArgs {
    /// The e-mail address
    pub(crate) email: String,
}

/// The manifest, behind a command that has no `--from` of its own.
#[derive(Debug, Args)]
pub(crate) struct FromBehindArgs {
    /// The manifest, or the directory it is in [default: spin.toml]
    #[arg(short = 'f', long = "from", value_name = "PATH", id = "manifest")]
    pub(crate) from: Option<PathBuf>,
}

impl EventsCommand {
    /// The manifest that is named behind the command.
    pub(crate) fn from(&self) -> Option<&PathBuf> {
        match self {
            Self::Tail(args) => args.from.from.as_ref(),
            Self::Produce(args) => args.from.from.as_ref(),
            Self::DeadLetters(args) => args.from.from.as_ref(),
            Self::Replay(_) => None,
        }
    }
}

/// `ward events tail`
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) from: FromBehindArgs,

    /// The topic
    pub(crate) topic: String,

    /// Begin with the oldest event
    #[arg(long)]
    pub(crate) from_start: bool,

    /// Stop at the end instead of waiting for more
    #[arg(long)]
    pub(crate) once: bool,

    /// Show what may be about a person, too
    #[arg(long)]
    pub(crate) reveal: bool,
}

/// `ward events produce`
#[derive(Debug, Args)]
pub(crate) struct ProduceArgs {
    #[command(flatten)]
    pub(crate) from: FromBehindArgs,

    /// The topic
    pub(crate) topic: String,

    /// The event; from standard input when left out or `-`
    #[arg(long, value_name = "JSON")]
    pub(crate) json: Option<String>,

    /// The record's key: events with the same key keep their order
    #[arg(long)]
    pub(crate) key: Option<String>,
}

/// `ward events replay`
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The group
    #[arg(long)]
    pub(crate) group: String,

    /// Where to: earliest, latest, or a time such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "PLACE")]
    pub(crate) from: String,

    /// Only on this topic; otherwise on all that the group's triggers read
    #[arg(long)]
    pub(crate) topic: Option<String>,
}

/// `ward events dead-letters`
#[derive(Debug, Args)]
pub(crate) struct DeadLettersArgs {
    #[command(flatten)]
    pub(crate) from: FromBehindArgs,

    /// Only what came from this topic
    #[arg(long)]
    pub(crate) topic: Option<String>,

    /// Send each to where it came from, for the group that could not consume it; they are not
    /// listed any more then
    #[arg(long)]
    pub(crate) resend: bool,

    /// Only this one, by the partition and offset that are listed
    #[arg(long, value_name = "PARTITION:OFFSET", value_parser = letter)]
    pub(crate) letter: Option<(i32, i64)>,

    /// Show what may be about a person, too
    #[arg(long)]
    pub(crate) reveal: bool,
}

/// `ward completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

/// `NAME=VALUE`.
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("must be NAME=VALUE".to_owned()),
    }
}

/// `PARTITION:OFFSET`.
fn letter(text: &str) -> Result<(i32, i64), String> {
    let parts = text.split_once(':');
    let read = parts.and_then(|(partition, at)| Some((partition.parse().ok()?, at.parse().ok()?)));
    read.ok_or_else(|| "must be PARTITION:OFFSET, as in 0:7".to_owned())
}

/// `HOST:PORT` to listen on. A name is looked up; of its addresses an IPv4 one is preferred, as in
/// Spin.
fn listener(text: &str) -> Result<SocketAddr, String> {
    if let Some(address) = listen_address(text) {
        return Ok(address);
    }
    let wanted = "write it as in localhost:4004";
    if text.rsplit_once(':').is_none_or(|(host, port)| host.contains(':') || port.is_empty()) {
        return Err(wanted.to_owned());
    }
    let found = text.to_socket_addrs().map_err(|error| format!("{error}; {wanted}"))?;
    let found: Vec<SocketAddr> = found.collect();
    let address = found.iter().find(|address| address.is_ipv4()).or(found.first());
    address.copied().ok_or_else(|| format!("the name has no address; {wanted}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn listeners_are_named_as_people_name_them() {
        for text in ["localhost:4004", "127.0.0.1:4004"] {
            assert_eq!(super::listener(text).unwrap().to_string(), "127.0.0.1:4004");
        }
        for wrong in ["4004", "localhost", "localhost:", "::1:4004", "127.0.0.1:70000"] {
            let reason = super::listener(wrong).unwrap_err();
            assert!(reason.contains("localhost:4004"), "{wrong}: {reason}");
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
