//! Afterwards: waits until nothing moves any more, and compares what clients were told with what
//! every table says.

use std::cmp::Ordering;
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
    /// In patients' outbox.
    pub committed: usize,
    /// Marked as published.
    pub published: usize,
    /// In analytics' event store.
    pub consumed: usize,
    /// Counted by analytics' projections.
    pub applied: usize,
    /// Patients with an account at billing.
    pub accounts: usize,
    /// What did not go all of its way: each named.
    pub lost: Vec<String>,
    /// What had more than one effect, or one without having been committed: each named.
    pub doubled: Vec<String>,
    /// Applied before an earlier version of the same patient: each named.
    pub disordered: Vec<String>,
}

impl Ledger {
    /// Whether nothing was lost, doubled or out of order.
    pub fn is_balanced(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.disordered.is_empty()
    }

    /// What clients were told and what the tables of the services say now.
    pub async fn of(ward: &Ward, told: &Told) -> Ledger {
        let patients = ward.database("patients").await;
        let analytics = ward.database("analytics").await;
        let billing = ward.database("billing").await;
        compare(&patients, &analytics, &billing, told).await
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ledger { accepted, committed, published, consumed, applied, accounts, .. } = self;
        writeln!(f, "accepted {accepted}, committed {committed}, published {published},")?;
        writeln!(f, "consumed {consumed}, applied {applied}, accounts {accounts},")?;
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
pub async fn when_quiet(ward: &Ward, told: &Told) -> Ledger {
    let deadline = Instant::now() + QUIET_MAX;
    loop {
        let ledger = Ledger::of(ward, told).await;
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
                  type = 'PATIENT_DELETED' AS deleted, published_at IS NOT NULL AS published \
                  FROM outbox ORDER BY seq";
    let outbox = patients.rows(outbox, &[]).await;
    let published = outbox.iter().filter(|row| row["published"] == true).count();
    let committed = changes(&outbox);
    let events = "SELECT patient_id AS patient, version FROM events ORDER BY seq";
    let consumed = changes(&analytics.rows(events, &[]).await);
    let counted = "SELECT coalesce(sum(events), 0)::bigint AS n FROM counts \
                   WHERE bucket = 'day' AND generation = (SELECT generation FROM projection)";
    let counted = analytics.rows(counted, &[]).await;
    let applied = counted.first().and_then(|row| row["n"].as_u64()).expect("a sum");
    let accounts = "SELECT patient_id AS patient, 1 AS version, status = 'CLOSED' AS deleted \
                    FROM accounts";
    let account_rows = billing.rows(accounts, &[]).await;
    let accounts = changes(&account_rows);
    let unsent = "SELECT aggregate_id AS account, type FROM outbox WHERE published_at IS NULL";
    let unsent = billing.rows(unsent, &[]).await;
    let mut ledger = Ledger {
        accepted: told.values().map(Vec::len).sum(),
        committed: outbox.len(),
        published,
        consumed: consumed.values().map(Vec::len).sum(),
        applied: usize::try_from(applied).expect("a number of events"),
        accounts: accounts.len(),
        ..Ledger::default()
    };
    missing(&mut ledger.lost, "accepted, not committed", told, &committed);
    missing(&mut ledger.lost, "committed, not consumed", &committed, &consumed);
    missing(&mut ledger.doubled, "consumed, not committed", &consumed, &committed);
    let first = committed.keys().map(|patient| (patient.clone(), vec![1])).collect();
    missing(&mut ledger.lost, "without an account", &first, &accounts);
    ledger.lost.extend(unsent.iter().map(|row| format!("of billing, not published: {row}")));
    for closed in deleted(&outbox).difference(&deleted(&account_rows)) {
        ledger.lost.push(format!("deleted, account not closed: {closed}"));
    }
    for closed in deleted(&account_rows).difference(&deleted(&outbox)) {
        ledger.doubled.push(format!("account closed, not deleted: {closed}"));
    }
    match ledger.applied.cmp(&ledger.committed) {
        Ordering::Less => ledger.lost.push("the projections count too little".to_owned()),
        Ordering::Greater => ledger.doubled.push("the projections count too much".to_owned()),
        Ordering::Equal => {}
    }
    for (patient, versions) in consumed.iter().chain(&accounts) {
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

/// The patients of rows that say so.
fn deleted(rows: &[serde_json::Value]) -> BTreeSet<&str> {
    let deleted = rows.iter().filter(|row| row["deleted"] == true);
    deleted.filter_map(|row| row["patient"].as_str()).collect()
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
