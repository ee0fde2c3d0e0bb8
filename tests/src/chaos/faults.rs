//! What goes wrong: processes die at once, or stand still for a while and go on.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use test_broker::TestBroker;
use tokio::time::sleep;

use super::Kafka;
use crate::{Random, Ward};

/// How long a frozen process stands still, at most.
const FROZEN_MAX_MS: u64 = 3000;

/// A process of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Ward,
    Broker,
    Postgres,
}

const ALL: [Victim; 3] = [Victim::Ward, Victim::Postgres, Victim::Broker];

/// One fault: some processes, and what happens to all of them.
#[derive(Debug)]
pub(super) struct Fault {
    victims: Vec<Victim>,
    frozen: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.frozen { "freeze" } else { "kill" };
        write!(f, "{what} {:?}", self.victims)
    }
}

impl Fault {
    /// Any of them, or several together.
    pub(super) fn choose(random: &mut Random, kafka: bool) -> Fault {
        let chosen = 1 + random.below(if kafka { 7 } else { 3 });
        let victims = ALL.into_iter().enumerate();
        let victims = victims.filter(|(bit, _)| chosen & (1 << bit) > 0).map(|(_, victim)| victim);
        Fault { victims: victims.collect(), frozen: random.below(3) == 0 }
    }

    /// Lets it happen, and puts a killed ward and broker up again. PostgreSQL is ward's to put up.
    pub(super) async fn happen(&self, ward: &mut Ward, kafka: Option<&Kafka>, random: &mut Random) {
        let state = ward.state();
        let broker = kafka.filter(|_| self.victims.contains(&Victim::Broker));
        let broker = broker.map(|kafka| &kafka.broker);
        let pids: Vec<u32> = self.victims.iter().flat_map(|v| v.pids(ward, &state)).collect();
        if self.frozen {
            pids.iter().for_each(|pid| signal("STOP", *pid));
            broker.into_iter().for_each(TestBroker::freeze);
            sleep(Duration::from_millis(200 + random.below(FROZEN_MAX_MS))).await;
            pids.iter().for_each(|pid| signal("CONT", *pid));
            broker.into_iter().for_each(TestBroker::thaw);
            return;
        }
        broker.into_iter().for_each(TestBroker::kill);
        let own = ward.pid();
        pids.iter().filter(|pid| **pid != own).for_each(|pid| signal("KILL", *pid));
        if self.victims.contains(&Victim::Ward) {
            ward.kill();
            ward.start_again();
        }
        broker.into_iter().for_each(TestBroker::start_again);
    }
}

impl Victim {
    /// Its processes. One that is not running just then has none, and the broker is its guardian's.
    fn pids(self, ward: &Ward, state: &Path) -> Vec<u32> {
        let first = |file: PathBuf| -> Option<u32> {
            fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
        };
        match self {
            Victim::Ward => vec![ward.pid()],
            Victim::Broker => Vec::new(),
            Victim::Postgres => {
                let elsewhere = fs::read_to_string(state.join("postgres.location"));
                let home = elsewhere.map_or(state.to_owned(), |text| PathBuf::from(text.trim()));
                let postmaster = first(home.join("postgres/postmaster.pid"));
                let backends = postmaster.into_iter().flat_map(children);
                postmaster.into_iter().chain(backends).collect()
            }
        }
    }
}

fn children(pid: u32) -> Vec<u32> {
    let file = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

fn signal(name: &str, pid: u32) {
    // It may have ended by itself in the meantime.
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).output();
    assert!(sent.is_ok(), "there is no program `kill`");
}
