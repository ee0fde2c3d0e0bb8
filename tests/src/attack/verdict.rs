//! What an attack did to others, held against what is wanted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::deeds::{METHOD_LETTER, TOKEN_CHARS_MAX, Wanted};
use super::honest::{Kind, Tallies};
use super::meter::Cost;
use super::{Attack, Tally};
use crate::Ward;

/// A p99 below this is never held against ward. An honest request shares the processors with the
/// attack and with the other honest clients: behind two logins, of 24 ms argon2id each, it may wait
/// this long where nothing is wrong, and twice a quiet day's 3 ms would be decided by that.
const FLOOR: Duration = Duration::from_millis(50);

/// How much resident memory an attack may cost.
const GROWTH_KIB_MAX: u64 = 200 * 1024;

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    name: &'static str,
    what: String,
    right: usize,
    tries: usize,
    done: usize,
    least: usize,
    wrong: BTreeMap<String, usize>,
    p99: Option<(Kind, Duration, Duration)>,
    growth_kib: u64,
    cpu_s: f64,
    log_bytes: usize,
    leaks: bool,
    faults: Vec<String>,
}

impl Row {
    pub(super) fn new(
        attack: &Attack,
        smaller: usize,
        [alone, beside]: [Tallies; 2],
        [cost, during]: [Cost; 2],
    ) -> Row {
        let tries = beside.values().map(|tally| tally.took.len()).sum();
        let mut wrong = BTreeMap::new();
        for (kind, tally) in &beside {
            for what in &tally.wrong {
                *wrong.entry(format!("{kind:?} {what}")).or_insert(0) += 1;
            }
        }
        let part = if smaller == 1 { String::new() } else { format!(" (1/{smaller})") };
        let mut row = Row {
            name: attack.name,
            what: format!("{}{part}", attack.what),
            right: tries - wrong.values().sum::<usize>(),
            tries,
            done: 0,
            least: 0,
            wrong,
            p99: None,
            growth_kib: during.growth_kib,
            cpu_s: during.cpu_s,
            log_bytes: during.log_bytes,
            leaks: false,
            faults: Vec::new(),
        };
        row.judge_answers(&alone);
        row.judge_times(attack.wanted, &alone, &beside);
        row.judge_costs(attack.wanted, cost);
        row
    }

    /// The same with what went wrong with the attack itself, which proves nothing then.
    pub(super) fn with_failure(mut self, failure: Option<String>) -> Row {
        self.faults.extend(failure);
        self
    }

    /// The same with how much of the attack happened. One that did less than it is called for
    /// proves nothing.
    pub(super) fn with_effort(mut self, done: usize, least: usize) -> Row {
        (self.done, self.least) = (done, least);
        if !self.happened() {
            self.faults.push(format!("the attack came to {done} of {least} only"));
        }
        self
    }

    /// The same with what ward's log holds of a client's token.
    pub fn with_log_of(mut self, ward: &Ward) -> Row {
        self.leaks = ward.last_log().contains(&METHOD_LETTER.repeat(TOKEN_CHARS_MAX + 1));
        if self.leaks {
            self.faults.push("the log holds a method as it came".to_owned());
        }
        self
    }

    /// Whether the log holds what a client sent.
    pub fn leaks(&self) -> bool {
        self.leaks
    }

    /// What others got, times aside: how many answers, and what the wrong ones were.
    pub fn answers(&self) -> (usize, &BTreeMap<String, usize>) {
        (self.tries, &self.wrong)
    }

    /// Whether the attack happened as it is described.
    pub fn happened(&self) -> bool {
        self.done >= self.least
    }

    /// Whether ward did as is wanted.
    pub fn is_right(&self) -> bool {
        self.faults.is_empty()
    }

    fn judge_answers(&mut self, alone: &Tallies) {
        for (kind, tally) in alone {
            if let Some(what) = tally.wrong.first() {
                self.faults.push(format!("{kind:?} is wrong before the attack: {what}"));
            }
        }
        if self.right < self.tries {
            self.faults.push("wrong answers".to_owned());
        }
    }

    fn judge_times(&mut self, wanted: Wanted, alone: &Tallies, beside: &Tallies) {
        let mut worst = 0.0;
        for (kind, tally) in beside {
            let (then, now) = (alone.get(kind).map(p99).unwrap_or_default(), p99(tally));
            let times = match (wanted, kind) {
                (Wanted::OneAndHalf, _) => 1.5,
                (_, Kind::Grpc) => 3.0,
                _ => 2.0,
            };
            let allowed = then.mul_f64(times).max(FLOOR);
            let share = now.as_secs_f64() / allowed.as_secs_f64();
            if share > worst {
                worst = share;
                self.p99 = Some((*kind, then, now));
            }
            if share > 1.0 {
                self.faults.push(format!("{kind:?} p99"));
            }
        }
    }

    fn judge_costs(&mut self, wanted: Wanted, cost: Cost) {
        if self.growth_kib > GROWTH_KIB_MAX {
            self.faults.push("memory".to_owned());
        }
        if let Wanted::CpuMax(most_s) = wanted
            && cost.cpu_s > most_s
        {
            self.faults.push(format!("{:.1} s of CPU by itself", cost.cpu_s));
        }
        if let Wanted::LogMax(most_kib) = wanted
            && self.log_bytes > most_kib * 1024
        {
            self.faults.push("the log".to_owned());
        }
    }
}

/// The time that 99 of 100 requests did not exceed: the longest one below 100 requests.
fn p99(tally: &Tally) -> Duration {
    let mut took = tally.took.clone();
    took.sort_unstable();
    let beyond = took.len() / 100;
    took.iter().rev().nth(beyond).copied().unwrap_or_default()
}

impl fmt::Display for Row {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_right() { "ok" } else { "FAIL" };
        let (kind, then, now) = self.p99.unwrap_or((Kind::Health, Duration::ZERO, Duration::ZERO));
        write!(
            to,
            "{verdict:<4} {:<12} {:<34} {:>6} done, {:>4}/{:<4} right, p99 {:>6.1} -> {:>6.1} ms \
             {kind:<9?} {:>+5} MiB {:>5.1} s CPU {:>6} KiB log",
            self.name,
            self.what,
            self.done,
            self.right,
            self.tries,
            then.as_secs_f64() * 1e3,
            now.as_secs_f64() * 1e3,
            self.growth_kib / 1024,
            self.cpu_s,
            self.log_bytes / 1024,
        )?;
        for fault in &self.faults {
            write!(to, "; {fault}")?;
        }
        for (what, count) in &self.wrong {
            write!(to, "; {count} x {what}")?;
        }
        Ok(())
    }
}
