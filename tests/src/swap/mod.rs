//! Components are replaced, one after the other and again and again, while clients ask for
//! everything over HTTP, gRPC, links and events. Nobody may notice: every answer is right, and
//! every accepted change is everywhere, once and in order.

mod builds;
mod clients;

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::chaos::{Ledger, Load, when_quiet};
use crate::{Api, Options, Ward};
use builds::Builds;
pub use builds::marked;
use clients::{Clients, Heard};

/// How much of it.
#[derive(Debug, Clone)]
pub struct Swapping {
    /// How often each component is replaced.
    pub swaps: u32,
    /// Clients that read.
    pub readers: u32,
    /// Changes a second, over all clients that change something.
    pub rate: u32,
    /// How long clients are listened to before the first swap, to know what they hear in peace.
    pub peace: Duration,
    /// Between two swaps.
    pub pause: Duration,
}

/// What is replaced: guard, which is a part of others, among them.
const COMPONENTS: [&str; 6] = ["analytics", "auth", "billing", "docs", "guard", "patients"];

/// What became of it.
#[derive(Debug)]
pub struct Report {
    /// What clients heard before the first swap.
    pub peace: Heard,
    /// What they heard from then on.
    pub swapping: Heard,
    /// How long each swap took, by whether its build had served before.
    pub known: Vec<Duration>,
    /// The others.
    pub anew: Vec<Duration>,
    /// Resident memory of ward in KiB: after each build has served once, and at the end.
    pub resident_kib: (u64, u64),
    /// What became of the changes.
    pub ledger: Ledger,
    /// Changes that were answered otherwise than they should have been.
    pub refused: Vec<String>,
}

impl Report {
    /// Whether nobody noticed anything.
    pub fn is_good(&self) -> bool {
        let heard = [&self.peace, &self.swapping];
        heard.iter().all(|heard| heard.wrong.is_empty() && heard.right > 0)
            && self.ledger.is_balanced()
            && self.refused.is_empty()
    }
}

impl Report {
    /// Whether it cost little: the 99th percentile at most twice what it is in peace, and as much
    /// memory at the end as when each build had served once, within a twentieth. For a machine
    /// that does nothing else.
    pub fn costs_little(&self) -> bool {
        let (before, after) = self.resident_kib;
        let (peace, swapping) = (self.peace.p99(), self.swapping.p99());
        after <= before + before / 20 && swapping <= peace * 2
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let swaps = self.known.len() + self.anew.len();
        writeln!(f, "in peace     {}", self.peace)?;
        writeln!(f, "swapping     {}", self.swapping)?;
        writeln!(f, "swaps        {swaps}")?;
        writeln!(f, "  known      {}", spread(&self.known))?;
        writeln!(f, "  anew       {}", spread(&self.anew))?;
        let (before, after) = self.resident_kib;
        writeln!(f, "memory       {} MiB, then {} MiB", before >> 10, after >> 10)?;
        for (what, all) in [
            ("wrong in peace", &self.peace.wrong),
            ("wrong", &self.swapping.wrong),
            ("changes refused", &self.refused),
        ] {
            writeln!(f, "{what} {}", all.len())?;
            all.iter().take(10).try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        write!(f, "{}", self.ledger)
    }
}

/// Median, 99th percentile and maximum.
fn spread(took: &[Duration]) -> String {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let at = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len() - 1));
    match (sorted.is_empty(), sorted.last()) {
        (false, Some(most)) => {
            let ms = |d: Option<&Duration>| d.map_or(0.0, |d| d.as_secs_f64() * 1e3);
            let (half, most_of) = (ms(at(50)), ms(at(99)));
            format!("p50 {half:.1} ms, p99 {most_of:.1} ms, max {:.1} ms", ms(Some(most)))
        }
        _ => "none".to_owned(),
    }
}

impl Swapping {
    /// Runs it all.
    pub async fn run(&self) -> Report {
        let ward = Ward::start(Options::default());
        let mut builds = Builds::of(&COMPONENTS);
        let load = Load::start((self.rate, 4), &ward);
        let clients = Clients::start(self.readers, &ward).await;
        sleep(self.peace).await;
        let peace = clients.heard();
        let (mut known, mut anew, mut first) = (Vec::new(), Vec::new(), 0);
        for round in 0..self.swaps {
            for component in COMPONENTS {
                let wasm = builds.next(component);
                let began = Instant::now();
                swap(&ward, component, wasm).await;
                if round < builds::KINDS { &mut anew } else { &mut known }.push(began.elapsed());
                sleep(self.pause).await;
            }
            if round + 1 == builds::KINDS.min(self.swaps) {
                first = resident_kib(ward.pid());
            }
        }
        let swapping = clients.stop().await;
        let resident_kib = (first, resident_kib(ward.pid()));
        let said = load.stop().await;
        let ledger = when_quiet(&ward, &said.told).await;
        Report { peace, swapping, known, anew, resident_kib, ledger, refused: said.refused }
    }
}

/// A client of the operators' listener.
pub fn operator(ward: &Ward) -> Api {
    let token = std::fs::read_to_string(ward.state().join("ops-token")).expect("a token");
    Api::new(ward.listener("ops").expect("an operators' listener")).with_token(token.trim())
}

/// Puts another build in a component's place.
async fn swap(ward: &Ward, component: &str, wasm: Vec<u8>) -> Value {
    let request = operator(ward).request("PUT", &format!("/components/{component}"));
    let answer = crate::Answer::of(request.body(wasm)).await;
    assert_eq!(answer.status, 200, "{component}: {answer:?}");
    answer.json()
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
