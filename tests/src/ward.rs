//! A running `ward up`, started as a user starts it: the release binary, a state directory of its
//! own, free ports. Addresses are read from what it prints, never assumed.

use crate::repository::Repository;
use crate::supervisor::{Supervisor, Traces};
use crate::tokens::{Forge, claims_of};
use crate::{Api, Database};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A cold start compiles components and creates a PostgreSQL cluster, on a machine that may be
/// building something else at the time.
const START_PATIENCE: Duration = Duration::from_secs(240);

/// What of the environment would make another ward of it.
const NOT_INHERITED: [&str; 7] = [
    "WARD_DATABASE_URL",
    "WARD_EVENT_LOG_URL",
    "WARD_KEY_VALUE_URL",
    "WARD_KAFKA_BROKERS",
    "RUST_LOG",
    "WARD_LOG",
    "RUNTIME_CONFIG_FILE",
];
/// A user that has nothing: Linux' `nobody`.
const NOBODY: u32 = 65_534;

/// How to start ward.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The manifest, or its directory; `None` is the repository's own.
    pub from: Option<PathBuf>,
    /// Whether demo data is loaded.
    pub demo: bool,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Further environment variables.
    pub environment: Vec<(String, String)>,
    /// Whether ward makes its own token keys, rather than being given the tests'.
    pub own_keys: bool,
    /// The address space that the process may have, as `ulimit -v` takes it; unlimited for none.
    pub address_space_kib: Option<u64>,
}

impl Options {
    /// The repository's application with demo data.
    pub fn demo() -> Options {
        Options { demo: true, ..Options::default() }
    }

    /// The repository's application, which believes whoever comes from this machine about whom they
    /// speak for. Its manifest is written into this directory.
    pub fn behind_a_proxy(home: &Path) -> Options {
        let table = "[application.tool.ward]\n";
        let manifest = Repository::here().manifest_for_anywhere();
        let believes = format!("{table}trusted_proxies = [\"127.0.0.0/8\"]\n");
        let changed = manifest.replace(table, &believes);
        assert_ne!(manifest, changed);
        let file = home.join("spin.toml");
        fs::write(&file, changed).expect("a manifest");
        Options { from: Some(file), ..Options::demo() }
    }

    /// An application of the tests' own, with no database.
    pub fn manifest(path: &Path) -> Options {
        Options { from: Some(path.to_path_buf()), own_keys: true, ..Options::default() }
    }
}

/// A ward, running unless it was stopped.
pub struct Ward {
    options: Options,
    home: PathBuf,
    owned: Option<TempDir>,
    forge: Forge,
    starts: usize,
    supervisor: Option<Supervisor>,
    addresses: BTreeMap<String, String>,
}

impl Ward {
    /// The ward most tests share: started by the first that asks, stopped when the process ends.
    pub fn shared() -> &'static Ward {
        static SHARED: OnceLock<Ward> = OnceLock::new();
        SHARED.get_or_init(|| {
            let home = Ward::new_home().keep();
            Ward::launch(Options::demo(), home, None)
        })
    }

    /// A ward of the test's own, which may be stopped, killed and started again.
    pub fn start(options: Options) -> Ward {
        let owned = Ward::new_home();
        Ward::launch(options, owned.path().to_path_buf(), Some(owned))
    }

    /// A ward that lasts until the process ends, as [`Ward::shared`] does; `home`, an empty or
    /// prepared directory, is removed then.
    pub fn start_for_good(options: Options, home: PathBuf) -> Ward {
        make_passable(&home);
        Ward::launch(options, home, None)
    }

    fn launch(options: Options, home: PathBuf, owned: Option<TempDir>) -> Ward {
        let forge = Forge::new();
        let mut ward = Ward {
            options,
            home,
            owned,
            forge,
            starts: 0,
            supervisor: None,
            addresses: BTreeMap::new(),
        };
        ward.start_again();
        ward
    }

    /// A directory that PostgreSQL may walk through: its server does not run as root.
    pub fn new_home() -> TempDir {
        let home = tempfile::Builder::new().prefix("ward-test-").tempdir().expect("a directory");
        make_passable(home.path());
        home
    }

    /// Runs the binary to its end with these arguments and no state of this suite.
    pub fn run(arguments: &[&str], directory: &Path) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(directory).env("NO_COLOR", "1");
        command.output().expect("ward runs")
    }

    /// The same in an environment with these variables.
    pub fn run_with(environment: &[(&str, &str)], arguments: &[&str], directory: &Path) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(directory).env("NO_COLOR", "1");
        command.envs(environment.iter().copied()).output().expect("ward runs")
    }

    /// Runs the binary beside this ward, or without it once it is stopped, over its state and its
    /// keys; `input` is what standard input has.
    pub fn beside(&self, arguments: &[&str], input: &str) -> Output {
        let manifest = Repository::here().root().join("spin.toml");
        let mut command = Command::new(binary());
        command.args(arguments).arg("--from").arg(manifest).arg("--state-dir").arg(self.state());
        if !self.options.own_keys {
            command.args(self.key_arguments());
        }
        command.env("NO_COLOR", "1").current_dir(&self.home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = command.spawn().expect("ward runs");
        let mut stdin = running.stdin.take().expect("an input");
        // Who needs no input may be gone before it is written.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        running.wait_with_output().expect("ward ends")
    }

    /// The same as `nobody` where the tests are root's, and else as who they are.
    pub fn run_as_nobody(arguments: &[&str], directory: &Path) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(directory).env("NO_COLOR", "1");
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().expect("ward runs")
    }

    /// The same with so much address space.
    pub fn run_within(address_space_kib: u64, arguments: &[&str], directory: &Path) -> Output {
        let mut command = limited(address_space_kib);
        command.args(arguments).current_dir(directory).env("NO_COLOR", "1");
        command.output().expect("ward runs")
    }

    /// Starts ward once more over the same state.
    pub fn start_again(&mut self) {
        self.begin_again();
        self.addresses = self.wait_until_ready(&self.log_file(self.starts));
    }

    /// The same without waiting until it serves.
    pub fn begin_again(&mut self) {
        assert!(self.supervisor.is_none(), "ward still runs");
        self.starts += 1;
        let mut command = self.command();
        let (log, state) = (self.log_file(self.starts), self.state());
        let scrap = self.owned.is_none().then_some(self.home.as_path());
        let traces = Traces { log: &log, state: &state, scrap };
        self.supervisor = Some(Supervisor::start(&mut command, &traces));
    }

    /// Starts ward once more over the same state, with other arguments.
    pub fn start_again_with(&mut self, arguments: Vec<String>) {
        self.options.arguments = arguments;
        self.start_again();
    }

    /// Starts ward once more over the same state, with another manifest; `None` is the repository's
    /// own.
    pub fn start_again_from(&mut self, manifest: Option<PathBuf>) {
        self.options.from = manifest;
        self.start_again();
    }

    /// The command line of `ward up` over this state.
    fn command(&self) -> Command {
        let repository = Repository::here();
        let mut command = match self.options.address_space_kib {
            None => Command::new(binary()),
            Some(kib) => limited(kib),
        };
        command.arg("up").arg("--listen").arg("127.0.0.1:0").arg("--state-dir").arg(self.state());
        let manifest = self.options.from.clone();
        command.arg("--from").arg(manifest.unwrap_or_else(|| repository.root().join("spin.toml")));
        if self.options.demo {
            command.arg("--demo");
        }
        if !self.options.own_keys {
            for (name, pem) in
                [("private", self.forge.private_pem()), ("public", self.forge.public_pem())]
            {
                fs::write(self.key_file(name), pem).expect("a key is written");
            }
            command.args(self.key_arguments());
        }
        command.args(&self.options.arguments).current_dir(repository.root());
        command.env("NO_COLOR", "1");
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        command.envs(self.options.environment.iter().cloned());
        command
    }

    /// The arguments that give ward the tests' keys.
    fn key_arguments(&self) -> Vec<String> {
        let given = |name: &str| {
            let file = self.key_file(name);
            ["--variable".to_owned(), format!("jwt_{name}_key=@{}", file.display())]
        };
        ["private", "public"].map(given).concat()
    }

    fn wait_until_ready(&self, log: &Path) -> BTreeMap<String, String> {
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(log).unwrap_or_default();
            let addresses = addresses(&text);
            if addresses.get("gateway").is_some_and(|gateway| healthy(gateway)) {
                return addresses;
            }
            let runs = self.supervisor.as_ref().is_some_and(Supervisor::runs);
            assert!(runs, "ward ended before it served:\n{text}");
            assert!(start.elapsed() < START_PATIENCE, "ward does not serve:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The gateway's address, such as `http://127.0.0.1:4004`.
    pub fn gateway(&self) -> &str {
        &self.addresses["gateway"]
    }

    /// The address of a component's own listener, where it has one.
    pub fn listener(&self, component: &str) -> Option<&str> {
        self.addresses.get(component).map(String::as_str)
    }

    /// A client of the gateway without a token.
    pub fn api(&self) -> Api {
        Api::new(self.gateway())
    }

    /// A client of the gateway with a token of the demo user.
    pub async fn user(&self) -> Api {
        self.api().logged_in().await
    }

    /// A client with a token of a user in this role whom nobody else is, and the user's id.
    pub fn with_role(&self, role: &str) -> (Api, String) {
        let own = claims_of(role);
        let user = own["sub"].as_str().expect("a subject").to_owned();
        (self.api().with_token(&self.forge.sign(&own)), user)
    }

    /// The signer whose public key ward trusts, unless it made its own.
    pub fn forge(&self) -> &Forge {
        &self.forge
    }

    /// A connection to the database of a service, as that service's role.
    pub async fn database(&self, service: &str) -> Database {
        Database::open(&self.state(), service).await
    }

    /// A connection to a service's database as the superuser of the PostgreSQL that ward runs, for
    /// what the service's own role may not do.
    pub async fn administrator(&self, service: &str) -> Database {
        let url = self.database_url(service);
        let place = url.split('@').nth(1).expect("an address");
        let url = format!("postgres://postgres:{}@{place}", self.superuser_password());
        Database::at(&url).await
    }

    /// A connection to the database of the key-value stores.
    pub async fn key_value(&self) -> Database {
        Database::open(&self.state(), "key_value").await
    }

    /// A connection to the database that events go through.
    pub async fn event_log(&self) -> Database {
        Database::open(&self.state(), "events").await
    }

    /// How a second ward over the same databases, keys, events and sessions is started.
    pub fn replica(&self) -> Options {
        let mut arguments = Vec::new();
        for service in ["analytics", "auth", "billing", "patients"] {
            let url = self.database_url(service);
            arguments.extend(["--variable".to_owned(), format!("{service}_db_url={url}")]);
        }
        for name in ["private", "public"] {
            let value = format!("jwt_{name}_key=@{}", self.key_file(name).display());
            arguments.extend(["--variable".to_owned(), value]);
        }
        for (argument, database) in
            [("--event-log-url", "events"), ("--key-value-url", "key_value")]
        {
            arguments.extend([argument.to_owned(), self.database_url(database)]);
        }
        Options { arguments, own_keys: true, ..Options::default() }
    }

    /// The password of a service's database role.
    pub fn database_password(&self, service: &str) -> String {
        crate::database::secret(&self.state(), service, "password")
    }

    /// The address of a service's database, with its role's password.
    pub fn database_url(&self, service: &str) -> String {
        crate::database::secret(&self.state(), service, "url")
    }

    /// The password of the superuser of the PostgreSQL that ward runs.
    pub fn superuser_password(&self) -> String {
        let file = self.state().join("postgres.password");
        fs::read_to_string(file).expect("ward keeps the password").trim().to_owned()
    }

    /// The file with a key ward was given: `private` or `public`.
    pub fn key_file(&self, name: &str) -> PathBuf {
        self.home.join(format!("{name}.pem"))
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.home.join("state")
    }

    /// Everything ward has printed, over all its starts.
    pub fn log(&self) -> String {
        let read = |start| fs::read_to_string(self.log_file(start)).unwrap_or_default();
        (1..=self.starts).map(read).collect()
    }

    /// What ward printed since it was last started.
    pub fn last_log(&self) -> String {
        fs::read_to_string(self.log_file(self.starts)).unwrap_or_default()
    }

    /// Ward's process id.
    pub fn pid(&self) -> u32 {
        self.supervisor.as_ref().expect("ward runs").pid()
    }

    /// Sends SIGTERM without waiting.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for a ward that was told to end.
    pub fn outcome(&mut self, patience: Duration) -> ExitStatus {
        self.supervisor.take().expect("ward runs").outcome(patience)
    }

    /// Stops ward by SIGTERM and returns how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.supervisor.take().expect("ward runs").stop()
    }

    /// Ends ward by SIGKILL.
    pub fn kill(&mut self) {
        self.supervisor.take().expect("ward runs").kill();
    }

    fn log_file(&self, start: usize) -> PathBuf {
        self.home.join(format!("ward-{start}.log"))
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            let status = supervisor.stop();
            if std::thread::panicking() {
                println!("--- ward ended with {status}; its log:\n{}", self.log());
            }
        }
    }
}

/// The binary under test: `WARD_BIN`, or `ward` in the target directory of whoever asks, which is a
/// program there or a test one directory below.
fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("WARD_BIN") {
        return given.into();
    }
    let own = std::env::current_exe().expect("an executable");
    let mut ward = own.ancestors().skip(1).take(2).map(|directory| directory.join("ward"));
    let missing = "no ward beside the tests: `cargo build --release -p ward` makes one";
    ward.find(|ward| ward.is_file()).expect(missing)
}

/// The binary, with so much address space. The shell becomes it.
fn limited(kib: u64) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &kib.to_string()]).arg(binary());
    command
}

fn make_passable(home: &Path) {
    fs::set_permissions(home, fs::Permissions::from_mode(0o755)).expect("permissions");
}

/// Addresses by name from the lines ward prints, such as `patients  http://127.0.0.1:41234`.
fn addresses(log: &str) -> BTreeMap<String, String> {
    let mut addresses = BTreeMap::new();
    for line in log.lines() {
        if let Some((name, address)) = address(line) {
            addresses.entry(name).or_insert(address);
        }
    }
    addresses
}

/// The name and the address of a line that has these two words and no other.
fn address(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let (name, address) = (words.next()?, words.next()?);
    let alone = words.next().is_none() && address.starts_with("http://");
    alone.then(|| (name.to_owned(), address.trim_end_matches('/').to_owned()))
}

/// Whether Spin's health route answers 200. Plain TCP, because this runs outside any async runtime.
fn healthy(address: &str) -> bool {
    let authority = address.trim_start_matches("http://");
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(authority)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let head = format!("Host: {authority}\r\nConnection: close\r\n\r\n");
        write!(stream, "GET /.well-known/spin/health HTTP/1.1\r\n{head}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
