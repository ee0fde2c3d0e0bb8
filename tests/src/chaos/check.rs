//! Afterwards: waits until nothing moves any more, and compares what clients were told with what
//! every table says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::load::Told;
use crate::{Database, Ward};

/// How long it may take until everything has arrived everywhere.
const QUIET_MAX: Duration = Duration::from_secs(180);

/// Changes of one patient, by version, in the order in which a table has them.
type Changes = BTreeMap<String, Vec<i64>>;

/// What became of the changes.
#[derive(Debug, Default, Clone)]
pub struct Ledger {
    /// Told to clients as accepted.
    pub accepted: usize,
    /// In patients' outbox or known to have been there.
    pub committed: usize,
    /// Marked as published.
    pub published: usize,
    /// Applied by analytics.
    pub applied: usize,
    /// Patients with an account at billing.
    pub accounts: usize,
    /// Accepted and not committed, or committed and not applied: each named.
    pub lost: Vec<String>,
    /// Applied more than once, or without having been committed: each named.
    pub doubled: Vec<String>,
    /// Applied before an earlier version of the same patient: each named.
    pub disordered: Vec<String>,
}

impl Ledger {
    /// Whether nothing was lost, doubled or out of order.
    pub fn is_balanced(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.disordered.is_empty()
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ledger { accepted, committed, published, applied, accounts, .. } = self;
        writeln!(f, "accepted {accepted}, committed {committed}, published {published},")?;
        writeln!(f, "applied {applied}, accounts {accounts},")?;
        for (name, which) in
            [("lost", &self.lost), ("doubled", &self.doubled), ("out of order", &self.disordered)]
        {
            writeln!(f, "{name} {}", which.len())?;
            which.iter().take(10).try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}

/// Waits for quiet and makes up the ledger.
pub(super) async fn when_quiet(ward: &Ward, told: Told) -> Ledger {
    let patients = ward.database("patients").await;
    let analytics = ward.database("analytics").await;
    let billing = ward.database("billing").await;
    let deadline = Instant::now() + QUIET_MAX;
    loop {
        let ledger = compare(&patients, &analytics, &billing, &told).await;
        let done = ledger.published == ledger.committed && ledger.is_balanced();
        if done || Instant::now() >= deadline {
            return ledger;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn compare(
    patients: &Database,
    analytics: &Database,
    billing: &Database,
    told: &Told,
) -> Ledger {
    let outbox = "SELECT aggregate_id AS patient, aggregate_version AS version, \
                  published_at IS NOT NULL AS published FROM outbox ORDER BY seq";
    let outbox = patients.rows(outbox, &[]).await;
    let published = outbox.iter().filter(|row| row["published"] == true).count();
    let committed = changes(&outbox);
    let events = "SELECT patient_id AS patient, version FROM events ORDER BY seq";
    let applied = changes(&analytics.rows(events, &[]).await);
    let accounts = "SELECT patient_id AS patient, 1 AS version FROM accounts";
    let accounts = changes(&billing.rows(accounts, &[]).await);
    let mut ledger = Ledger {
        accepted: told.values().map(Vec::len).sum(),
        committed: outbox.len(),
        published,
        applied: applied.values().map(Vec::len).sum(),
        accounts: accounts.len(),
        ..Ledger::default()
    };
    missing(&mut ledger.lost, "accepted, not committed", told, &committed);
    missing(&mut ledger.lost, "committed, not applied", &committed, &applied);
    missing(&mut ledger.doubled, "applied, not committed", &applied, &committed);
    let first = committed.keys().map(|patient| (patient.clone(), vec![1])).collect();
    missing(&mut ledger.lost, "without an account", &first, &accounts);
    for (patient, versions) in applied.iter().chain(&accounts) {
        let once: BTreeSet<i64> = versions.iter().copied().collect();
        if once.len() < versions.len() {
            ledger.doubled.push(format!("{patient}: {versions:?}"));
        }
        if !versions.is_sorted() {
            ledger.disordered.push(format!("{patient}: {versions:?}"));
        }
    }
    ledger
}

fn changes(rows: &[serde_json::Value]) -> Changes {
    let mut changes = Changes::new();
    for row in rows {
        let patient = row["patient"].as_str().expect("an id").to_owned();
        let version = row["version"].as_i64().expect("a version");
        changes.entry(patient).or_default().push(version);
    }
    changes
}

/// Notes what `here` has and `there` has not.
fn missing(into: &mut Vec<String>, what: &str, here: &Changes, there: &Changes) {
    let none = Vec::new();
    for (patient, versions) in here {
        let others = there.get(patient).unwrap_or(&none);
        for version in versions.iter().filter(|version| !others.contains(version)) {
            into.push(format!("{what}: {patient} version {version}"));
        }
    }
}
