//! One `ward` process under a small shell that outlives the tests: when the test process ends, by
//! whatever means, the shell's standard input closes and it stops ward by SIGTERM, and then a
//! PostgreSQL that a crashed ward left behind. No test needs to be polite for that to happen.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Arguments: the file for ward's process id, ward's log, the state directory, a directory to
/// remove at the end (or an empty string), then the command. One word on standard input, `leave`,
/// asks it to wait for ward and touch nothing else; anything else, the end of input above all,
/// stops ward. Interrupts are ignored: a Ctrl-C meant for the tests reaches ward by itself. Ward
/// itself hears of a closed terminal, even where the tests were started to outlive theirs.
const SCRIPT: &str = r#"
trap '' INT HUP
pid_file=$1 log=$2 state=$3 scrap=$4
shift 4
hearing=
env --default-signal=HUP true 2>/dev/null && hearing='env --default-signal=HUP'
$hearing "$@" >>"$log" 2>&1 </dev/null &
ward=$!
echo "$ward" >"$pid_file.new"
mv "$pid_file.new" "$pid_file"
read -r word
[ "$word" = leave ] || kill -TERM "$ward" 2>/dev/null
wait "$ward"
code=$?
if [ "$word" != leave ]; then
    find "$state" -name postmaster.pid 2>/dev/null | while read -r left; do
        kill -INT "$(head -n 1 "$left")" 2>/dev/null
    done
    [ -z "$scrap" ] || { sleep 1; rm -rf "$scrap"; }
fi
exit "$code"
"#;

/// A supervised process.
pub(crate) struct Supervisor {
    shell: Child,
    input: Option<ChildStdin>,
    pid: u32,
}

/// Where a supervised process leaves its traces.
pub(crate) struct Traces<'a> {
    /// The file its output is appended to.
    pub(crate) log: &'a Path,
    /// The state directory, searched for a PostgreSQL left behind.
    pub(crate) state: &'a Path,
    /// A directory the shell removes when everything has stopped.
    pub(crate) scrap: Option<&'a Path>,
}

impl Supervisor {
    /// Starts `command` and waits until its process id is known.
    pub(crate) fn start(command: &mut Command, traces: &Traces<'_>) -> Supervisor {
        let pid_file = PathBuf::from(format!("{}.pid", traces.log.display()));
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "ward-supervisor"]);
        shell.arg(&pid_file).arg(traces.log).arg(traces.state);
        shell.arg(traces.scrap.unwrap_or(Path::new("")));
        shell.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            shell.current_dir(directory);
        }
        // Output of the shell itself has nobody to read it once the tests are gone.
        let errors = File::create(format!("{}.shell", traces.log.display())).expect("shell log");
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(errors);
        let mut shell = shell.spawn().expect("sh starts");
        let input = shell.stdin.take();
        let pid = wait_for_pid(&pid_file);
        Supervisor { shell, input, pid }
    }

    /// The process id of ward itself.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Stops ward by SIGTERM and returns how it ended.
    pub(crate) fn stop(mut self) -> ExitStatus {
        drop(self.input.take());
        self.shell.wait().expect("the supervisor ends")
    }

    /// Ends ward by SIGKILL, leaving whatever it started to fend for itself.
    pub(crate) fn kill(mut self) {
        let pid = self.pid.to_string();
        let sent = Command::new("kill").args(["-9", &pid]).status().expect("kill runs");
        assert!(sent.success(), "ward {pid} was not there to be killed");
        if let Some(mut input) = self.input.take() {
            input.write_all(b"leave\n").expect("the supervisor listens");
        }
        self.shell.wait().expect("the supervisor ends");
    }

    /// Whether ward still runs. A process that ended stays a zombie until its shell waits for it.
    pub(crate) fn runs(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let state = status.rsplit(") ").next().unwrap_or_default().chars().next();
        !matches!(state, None | Some('Z' | 'X'))
    }

    /// Waits for ward to end by itself and returns how it ended.
    pub(crate) fn outcome(mut self, patience: Duration) -> ExitStatus {
        let start = Instant::now();
        while self.runs() {
            assert!(start.elapsed() < patience, "ward still runs after {patience:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some(mut input) = self.input.take() {
            input.write_all(b"leave\n").expect("the supervisor listens");
        }
        self.shell.wait().expect("the supervisor ends")
    }
}

fn wait_for_pid(file: &Path) -> u32 {
    let start = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(file) {
            let _ = fs::remove_file(file);
            return text.trim().parse().expect("a process id");
        }
        assert!(start.elapsed() < Duration::from_secs(20), "the supervisor did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
}
