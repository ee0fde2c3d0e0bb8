//! Attacks: what a stranger, or one user, can do to a ward without breaking any rule of HTTP, while
//! others go on with their work. Each attack is bounded in count and time and goes to the loopback
//! only. What others see of it is the finding: start with [`Attack::run`].

mod deeds;
mod honest;
mod http2;
mod meter;
mod sockets;
mod verdict;

use std::net::Ipv4Addr;
use std::panic::AssertUnwindSafe;
use std::process::Command;
use std::time::Duration;

use tokio::time::sleep;

use crate::{Forge, Options, Ward, claims};
pub use deeds::{ATTACKS, Attack};
use honest::{Honest, Tally};
use meter::Meter;
pub use verdict::Row;

/// How long honest clients work before and during an attack.
const WINDOW: Duration = Duration::from_secs(6);

/// How long an attack goes on before honest clients are looked at: time to open its connections.
const RUN_UP: Duration = Duration::from_secs(2);

/// Honest clients come from here, as everything on this machine does.
const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Attackers come from here, unless an attack is to come from where honest clients are.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Where an attack happens: addresses without a scheme, and who the attacker is.
#[derive(Debug, Clone)]
pub struct Scene {
    gateway: String,
    grpc: String,
    source: Ipv4Addr,
    token: String,
    /// Counts are divided by this.
    smaller: usize,
}

impl Scene {
    fn of(ward: &Ward, source: Ipv4Addr, smaller: usize) -> Scene {
        let authority = |address: &str| address.trim_start_matches("http://").to_owned();
        Scene {
            gateway: authority(ward.gateway()),
            grpc: authority(ward.listener("grpc").expect("a gRPC listener")),
            source,
            token: token(ward.forge()),
            smaller,
        }
    }

    /// As many of something as this run is to have, at least one.
    fn count(&self, full: usize) -> usize {
        (full / self.smaller).max(1)
    }
}

/// A token of a user whom nobody else is.
fn token(forge: &Forge) -> String {
    forge.sign(&claims())
}

/// A ward for attacks: demo data for the logins, and no broker, because none is asked for here.
pub fn ward() -> Ward {
    let arguments = ["--kafka-brokers", "127.0.0.1:1"].map(str::to_owned).to_vec();
    Ward::start(Options { demo: true, arguments, ..Options::default() })
}

impl Attack {
    /// Has honest clients work alone, then beside the attack. `smaller` divides how many of
    /// something the attack makes; 1 is the whole attack.
    pub async fn run(&self, ward: &Ward, smaller: usize) -> Row {
        let source = if self.from_home { HOME } else { ELSEWHERE };
        let scene = Scene::of(ward, source, smaller);
        let honest = Honest::of(ward, self.deed.streams());
        honest.work(Duration::from_secs(1)).await;
        let before = Meter::start(ward);
        let alone = honest.work(WINDOW).await;
        let before = before.stop(ward);
        let during = Meter::start(ward);
        let deed = tokio::spawn(self.deed.happen(scene));
        sleep(RUN_UP).await;
        let beside = honest.work(WINDOW).await;
        let during = during.stop(ward);
        deed.abort();
        let ended = deed.await;
        let failed = ended.err().filter(tokio::task::JoinError::is_panic);
        Row::new(self, smaller, [alone, beside], [before, during])
            .with_failure(failed.map(|error| format!("the attack itself failed: {error}")))
    }
}

/// Whether ward starts while another user holds what it may hold of the state directory's lock.
pub fn lock(ward: &mut Ward) -> bool {
    ward.stop();
    let file = ward.state().join("lock");
    let mut other = Command::new("setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups", "flock"]).arg(file);
    let mut other = other.args(["sleep", "20"]).spawn().expect("setpriv runs");
    std::thread::sleep(Duration::from_millis(500));
    let started = std::panic::catch_unwind(AssertUnwindSafe(|| ward.start_again())).is_ok();
    // It may have ended by itself, where it may not open the file.
    let _ = other.kill();
    other.wait().expect("a child of ours");
    started
}
