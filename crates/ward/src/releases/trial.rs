//! A build on trial: a part of what begins is answered by it, and it is compared with the one that
//! serves the rest. Whether it is worse is decided here, from numbers alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::counts::{Tally, as_f64};
use super::published::Published;

/// Before so many of a kind nothing is said of failures.
const FAILURES_TOLD_FROM: u64 = 20;

/// So many have to have failed: fewer are an accident.
const FAILED_MIN: u64 = 5;

/// Before so many of a kind nothing is said of times: the 99th percentile of fewer is one of a
/// few.
const TIMES_TOLD_FROM: u64 = 1000;

/// A candidate may fail in so much more than the other, of 1.
const FAILURES_MARGIN: f64 = 0.01;

/// How far apart two parts are, in standard errors, that differ by chance in 1 of 4,000
/// comparisons.
/// A trial of some minutes is hundreds of them, of which most have much in common.
const APART: f64 = 3.5;

/// A candidate's 99th percentile may be so many times the other's, and so much longer beside that.
const TIMES_MARGIN: (f64, Duration) = (1.5, Duration::from_millis(5));

/// How much of what begins goes to the candidate, and what becomes of that by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Percent of what begins; 1 to 100.
    pub(crate) percent: u8,
    /// What comes next, each after so long if nothing is wrong.
    pub(crate) steps: Vec<u8>,
    pub(crate) every: Duration,
}

impl Plan {
    /// All of it, now.
    pub(crate) fn at_once() -> Self {
        Self { percent: 100, steps: Vec::new(), every: Duration::ZERO }
    }

    /// How much is asked for, and nothing that comes by itself.
    pub(crate) fn percent_alone(query: Option<&str>) -> Result<u8, String> {
        let plan = Self::read(query)?;
        match plan.steps.is_empty() {
            true => Ok(plan.percent),
            false => Err("steps are given with the swap".to_owned()),
        }
    }

    /// Reads `percent=5&steps=25,50,100&every=30s`. The error is a sentence.
    pub(crate) fn read(query: Option<&str>) -> Result<Self, String> {
        let mut plan = Self::at_once();
        plan.every = Duration::from_secs(60);
        for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name {
                "percent" => plan.percent = percent(value)?,
                "steps" => {
                    let steps = value.split([',', '+']).map(percent);
                    plan.steps = steps.collect::<Result<_, _>>()?;
                }
                "every" => plan.every = seconds(value)?,
                _ => return Err("there are percent, steps and every".to_owned()),
            }
        }
        let all = std::iter::once(&plan.percent).chain(&plan.steps);
        if all.clone().zip(all.skip(1)).any(|(one, next)| next <= one) {
            return Err("each step takes more percent than the one before".to_owned());
        }
        Ok(plan)
    }
}

fn percent(text: &str) -> Result<u8, String> {
    let percent = text.parse().ok().filter(|percent| (1..=100).contains(percent));
    percent.ok_or_else(|| "a percentage is a whole number from 1 to 100".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').and_then(|text| text.parse().ok());
    let seconds = seconds.filter(|seconds| *seconds > 0);
    seconds.map(Duration::from_secs).ok_or_else(|| "every is so many seconds: 30s".to_owned())
}

/// A candidate beside what serves.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) component: String,
    pub(crate) candidate: Arc<Published>,
    pub(crate) stable: Arc<Published>,
    /// Whose requests are compared: those that the change can have touched.
    pub(crate) touched: Vec<String>,
    /// What the other had come to when this began.
    before: Tally,
    percent: AtomicU8,
}

impl Trial {
    pub(crate) fn new(
        component: &str,
        (candidate, stable): (Arc<Published>, Arc<Published>),
        touched: Vec<String>,
        percent: u8,
    ) -> Self {
        let before = stable.tally(&touched);
        let percent = AtomicU8::new(percent);
        Self { component: component.to_owned(), candidate, stable, touched, before, percent }
    }

    /// How much of what begins the candidate has.
    pub(crate) fn percent(&self) -> u8 {
        self.percent.load(Relaxed)
    }

    /// Gives it so much.
    pub(crate) fn set_percent(&self, percent: u8) {
        self.percent.store(percent, Relaxed);
    }

    /// Whether what begins now is the candidate's.
    pub(crate) fn takes(&self) -> bool {
        rand::random_range(0..100) < self.percent()
    }

    /// What the one that serves and the candidate have come to since the trial began.
    pub(crate) fn tallies(&self) -> (Tally, Tally) {
        let stable = self.stable.tally(&self.touched).since(&self.before);
        (stable, self.candidate.tally(&self.touched))
    }

    /// How the candidate does.
    pub(crate) fn verdict(&self) -> Verdict {
        let (stable, candidate) = self.tallies();
        judge(&stable, &candidate)
    }
}

/// How a candidate does beside another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There are too few to tell.
    Unknown,
    /// No worse.
    Good,
    /// In what.
    Worse(String),
}

/// Compares.
fn judge(stable: &Tally, candidate: &Tally) -> Verdict {
    if candidate.all() < FAILURES_TOLD_FROM {
        return Verdict::Unknown;
    }
    let (was, is) = (stable.failed_part(), candidate.failed_part());
    let are_many = candidate.failed >= FAILED_MIN;
    if are_many && is > was + FAILURES_MARGIN && is_apart(stable, candidate) {
        let (is, was) = (is * 100.0, was * 100.0);
        return Verdict::Worse(format!("{is:.1}% of it fails, and {was:.1}% before"));
    }
    if candidate.all().min(stable.all()) < TIMES_TOLD_FROM {
        return Verdict::Good;
    }
    let (was, is) = (stable.p99(), candidate.p99());
    let (times, beside) = TIMES_MARGIN;
    match is > was.mul_f64(times) + beside {
        true => Verdict::Worse(format!("99 of 100 take up to {is:?}, and {was:?} before")),
        false => Verdict::Good,
    }
}

/// Whether two parts differ by more than chance: the test of two proportions. Where there is
/// nothing to compare with, a failure is one.
fn is_apart(stable: &Tally, candidate: &Tally) -> bool {
    let (n, m) = (as_f64(stable.all()), as_f64(candidate.all()));
    if n == 0.0 {
        return true;
    }
    let part = as_f64(stable.failed + candidate.failed) / (n + m);
    let error = (part * (1.0 - part) * (1.0 / n + 1.0 / m)).sqrt();
    candidate.failed_part() - stable.failed_part() > APART * error
}

/// Follows a plan: what it says comes next, once its time has come and nothing is wrong.
#[derive(Debug)]
pub(crate) struct Steps {
    left: std::vec::IntoIter<u8>,
    every: Duration,
    at: Instant,
}

impl Steps {
    pub(crate) fn of(plan: &Plan) -> Self {
        let at = Instant::now() + plan.every;
        Self { left: plan.steps.clone().into_iter(), every: plan.every, at }
    }

    /// The percentage that comes now, if one does. Nobody goes on without knowing.
    pub(crate) fn next(&mut self, verdict: &Verdict) -> Option<u8> {
        if *verdict != Verdict::Good || Instant::now() < self.at {
            return None;
        }
        self.at = Instant::now() + self.every;
        self.left.next()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant as Began;

    use super::super::counts::Counts;
    use super::*;

    fn tally(all: u64, failed: u64, took: Duration) -> Tally {
        let counts = Counts::default();
        let began = Began::now().checked_sub(took).unwrap();
        (0..all).for_each(|n| counts.note(began, n < failed));
        counts.tally()
    }

    #[test]
    fn a_candidate_is_worse_when_it_fails_more_or_takes_longer_and_there_is_enough_to_tell() {
        let ms = Duration::from_millis;
        let is_worse = |stable: &Tally, candidate: &Tally| match judge(stable, candidate) {
            Verdict::Worse(_) => Some(true),
            Verdict::Good => Some(false),
            Verdict::Unknown => None,
        };
        let stable = tally(1000, 0, ms(10));
        assert_eq!(is_worse(&stable, &tally(19, 19, ms(10))), None);
        assert_eq!(is_worse(&stable, &tally(20, 20, ms(10))), Some(true));
        assert_eq!(is_worse(&stable, &tally(1000, 5, ms(10))), Some(false), "half a percent");
        assert_eq!(is_worse(&stable, &tally(1000, 20, ms(10))), Some(true));
        // What failed before may fail as well.
        let failing = tally(1000, 500, ms(10));
        assert_eq!(is_worse(&failing, &tally(100, 52, ms(10))), Some(false), "by chance");
        assert_eq!(is_worse(&failing, &tally(100, 80, ms(10))), Some(true));
        // Nothing to compare with.
        assert_eq!(is_worse(&Tally::default(), &tally(20, 4, ms(10))), Some(false));
        assert_eq!(is_worse(&Tally::default(), &tally(20, 5, ms(10))), Some(true));
        assert_eq!(is_worse(&Tally::default(), &tally(500, 0, ms(900))), Some(false));
        // Times.
        assert_eq!(is_worse(&stable, &tally(999, 0, ms(100))), Some(false), "too few");
        assert_eq!(is_worse(&stable, &tally(1000, 0, ms(100))), Some(true));
        assert_eq!(is_worse(&stable, &tally(1000, 0, ms(15))), Some(false));
    }

    #[test]
    fn plans_are_read_and_what_is_none_is_refused() {
        let read = |query: &str| Plan::read(Some(query));
        assert_eq!(Plan::read(None).unwrap().percent, 100);
        let plan = read("percent=5&steps=25,100&every=30s").unwrap();
        assert_eq!((plan.percent, plan.steps), (5, vec![25, 100]));
        assert_eq!(plan.every, Duration::from_secs(30));
        for bad in ["percent=0", "percent=101", "percent=x", "steps=5,", "every=0s", "every=5"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        for bad in ["percent=5&steps=5", "percent=5&steps=50,25", "steps=50", "what=1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn steps_come_in_their_time_and_only_when_all_is_well() {
        let plan = Plan { percent: 5, steps: vec![50, 100], every: Duration::from_secs(10) };
        let mut steps = Steps::of(&plan);
        assert_eq!(steps.next(&Verdict::Good), None);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(steps.next(&Verdict::Unknown), None);
        assert_eq!(steps.next(&Verdict::Good), Some(50));
        assert_eq!(steps.next(&Verdict::Good), None);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(steps.next(&Verdict::Good), Some(100));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(steps.next(&Verdict::Good), None);
    }
}
