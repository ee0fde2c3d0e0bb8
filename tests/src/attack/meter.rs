//! What a ward's process costs, from `/proc`: resident memory, processor time, and what it wrote to
//! its log.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::Ward;

/// Between two looks at the resident memory: shorter than what an attack's peak lasts.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Clock ticks in a second, as Linux counts them for programs on every architecture we run on.
const TICKS_PER_S: f64 = 100.0;

/// A measurement that is going on.
pub(super) struct Meter {
    cpu_s: f64,
    resident_kib: u64,
    log_bytes: usize,
    peak_kib: Arc<AtomicU64>,
    looker: JoinHandle<()>,
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Processor time, in seconds.
    pub(super) cpu_s: f64,
    /// How much more was resident at the worst moment than at the start, in KiB.
    pub(super) growth_kib: u64,
    /// Bytes added to the log.
    pub(super) log_bytes: usize,
}

impl Meter {
    pub(super) fn start(ward: &Ward) -> Meter {
        let pid = ward.pid();
        let resident_kib = resident_kib(pid);
        let peak_kib = Arc::new(AtomicU64::new(resident_kib));
        let peak = peak_kib.clone();
        let looker = tokio::spawn(async move {
            loop {
                peak.fetch_max(self::resident_kib(pid), Ordering::Relaxed);
                sleep(LOOK_EVERY).await;
            }
        });
        let log_bytes = ward.last_log().len();
        Meter { cpu_s: cpu_s(pid), resident_kib, log_bytes, peak_kib, looker }
    }

    pub(super) fn stop(self, ward: &Ward) -> Cost {
        self.looker.abort();
        let peak = self.peak_kib.load(Ordering::Relaxed);
        Cost {
            cpu_s: cpu_s(ward.pid()) - self.cpu_s,
            growth_kib: peak.saturating_sub(self.resident_kib),
            log_bytes: ward.last_log().len().saturating_sub(self.log_bytes),
        }
    }
}

/// Resident memory; nothing for a process that is gone.
fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Processor time in user and kernel mode: fields 14 and 15 of `stat`, counted from behind the
/// name, which may hold anything.
fn cpu_s(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_S
}
