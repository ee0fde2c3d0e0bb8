//! Attacks: what a stranger, or one user, can do to a ward without breaking any rule of HTTP, while
//! others go on with their work. Each attack is bounded in count and time and goes to the loopback
//! only. What others see of it is the finding: start with [`Attack::run`].

mod deeds;
mod honest;
mod http2;
mod meter;
mod sockets;
mod timing;
mod verdict;

use std::net::Ipv4Addr;
use std::panic::AssertUnwindSafe;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::{sleep, timeout};

use crate::{Forge, Options, Ward, claims};
use deeds::Wanted;
pub use deeds::{ATTACKS, Attack};
use honest::{Honest, Tally};
use meter::{Cost, Meter};
pub use timing::timing;
pub use verdict::Row;

/// How much of an attack there is to be, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Divides how many of something the attack makes.
    pub smaller: usize,
    /// How long honest clients work before and during the attack.
    pub window: Duration,
    /// How long an honest client waits for an answer.
    pub patience: Duration,
}

impl Scale {
    /// The whole attack. Nobody should have to wait for longer than this, which is shorter than
    /// the attack.
    pub const WHOLE: Scale =
        Scale { smaller: 1, window: Duration::from_secs(12), patience: Duration::from_secs(5) };

    /// For the test command: beside other tests every answer is late, and none may be wrong.
    pub const TEST: Scale =
        Scale { smaller: 1, window: Duration::from_secs(2), patience: Duration::from_secs(30) };
}

/// How long an attack goes on before honest clients are looked at: time to open its connections.
const RUN_UP: Duration = Duration::from_secs(2);

/// How long an attack that comes to an end is waited for.
const END_MAX: Duration = Duration::from_secs(30);

/// Honest clients come from here, as everything on this machine does.
const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Attackers come from an address of this network, unless an attack is to come from where honest
/// clients are: each from one of its own, because the kernel takes long to find a free port on one
/// from which thousands of connections have just gone.
const ELSEWHERE: [u8; 3] = [127, 0, 1];

/// Where an attack happens: addresses without a scheme, and who the attacker is.
#[derive(Debug, Clone)]
pub struct Scene {
    gateway: String,
    grpc: String,
    source: Ipv4Addr,
    token: String,
    /// Counts are divided by this.
    smaller: usize,
    /// How much of the attack has happened: connections and streams opened, requests sent.
    done: Arc<AtomicUsize>,
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
            done: Arc::default(),
        }
    }

    /// One more connection or stream is open, or one more request sent.
    fn did(&self) {
        self.done.fetch_add(1, Relaxed);
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
    /// Has honest clients work alone, then beside the attack.
    pub async fn run(&self, ward: &Ward, scale: Scale) -> Row {
        let Scale { smaller, window, patience } = scale;
        let [a, b, c] = ELSEWHERE;
        let source =
            if self.from_home { HOME } else { Ipv4Addr::new(a, b, c, self.deed as u8 + 1) };
        let scene = Scene::of(ward, source, smaller);
        let honest = Honest::of(ward, self.deed, patience);
        let cost = self.cost(ward, &scene).await;
        let (done, least) = (scene.done.clone(), self.deed.size(&scene).iter().product());
        done.store(0, Relaxed);
        honest.work(Duration::from_secs(1)).await;
        let alone = honest.work(window).await;
        let during = Meter::start(ward);
        let deed = tokio::spawn(self.deed.happen(scene));
        sleep(RUN_UP).await;
        let beside = honest.work(window).await;
        let during = during.stop(ward);
        deed.abort();
        let ended = deed.await;
        let failed = ended.err().filter(tokio::task::JoinError::is_panic);
        Row::new(self, smaller, [alone, beside], [cost, during])
            .with_failure(failed.map(|error| format!("the attack itself failed: {error}")))
            .with_effort(done.load(Relaxed), least)
    }

    /// What an attack that comes to an end costs by itself: beside honest clients nobody could
    /// tell.
    async fn cost(&self, ward: &Ward, scene: &Scene) -> Cost {
        let meter = Meter::start(ward);
        if matches!(self.wanted, Wanted::CpuMax(_)) {
            // One that does not end in time has cost so much by then.
            let _ = timeout(END_MAX, self.deed.happen(scene.clone())).await;
        }
        meter.stop(ward)
    }
}

/// Thousands of connections are as many files, here as there.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("the soft limit goes up to the hard one");
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
