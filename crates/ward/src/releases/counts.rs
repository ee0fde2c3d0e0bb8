//! What comes of the requests, calls and batches of one component in one release: how many, how
//! many failed, how long they took. Nothing of what they are about.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use http::{Request, Response};
use ward_http::Handler;
use ward_runtime::{Body, CallContext, CallError, Function, HandleError, HttpHandler};
use ward_wire::Value;

/// Durations are told apart by a fourth of a doubling, from a microsecond to an hour.
const BUCKETS: usize = 128;

/// The numbers, as they are counted.
#[derive(Debug)]
pub(crate) struct Counts {
    failed: AtomicU64,
    took: [AtomicU64; BUCKETS],
}

impl Default for Counts {
    fn default() -> Self {
        Self { failed: AtomicU64::new(0), took: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Counts {
    /// One came to its end.
    pub(crate) fn note(&self, began: Instant, has_failed: bool) {
        if has_failed {
            self.failed.fetch_add(1, Relaxed);
        }
        if let Some(bucket) = self.took.get(bucket(began.elapsed())) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// The numbers of now.
    pub(crate) fn tally(&self) -> Tally {
        let took = self.took.iter().map(|bucket| bucket.load(Relaxed)).collect();
        Tally { failed: self.failed.load(Relaxed), took }
    }
}

/// The numbers at one time, or over a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) failed: u64,
    took: Vec<u64>,
}

impl Tally {
    /// How many there were.
    pub(crate) fn all(&self) -> u64 {
        self.took.iter().sum()
    }

    /// The part that failed, 0 to 1.
    pub(crate) fn failed_part(&self) -> f64 {
        match self.all() {
            0 => 0.0,
            all => as_f64(self.failed) / as_f64(all),
        }
    }

    /// How long 99 of 100 took at most, to a fifth.
    pub(crate) fn p99(&self) -> Duration {
        let mut left = self.all().div_ceil(100);
        if left == 0 {
            return Duration::ZERO;
        }
        let slow = self.took.iter().enumerate().rev().find(|(_, count)| {
            left = left.saturating_sub(**count);
            left == 0
        });
        slow.map_or(Duration::ZERO, |(bucket, _)| end_of(bucket))
    }

    /// With those of another.
    pub(crate) fn and(&self, other: &Tally) -> Tally {
        self.each(other, |own, other| own + other)
    }

    /// Since an earlier time.
    pub(crate) fn since(&self, earlier: &Tally) -> Tally {
        self.each(earlier, u64::saturating_sub)
    }

    fn each(&self, other: &Tally, join: fn(u64, u64) -> u64) -> Tally {
        let at = |of: &Tally, n: usize| of.took.get(n).copied().unwrap_or_default();
        let count = self.took.len().max(other.took.len());
        Tally {
            failed: join(self.failed, other.failed),
            took: (0..count).map(|n| join(at(self, n), at(other, n))).collect(),
        }
    }
}

/// Counts are far below the 2^52 up to which this is exact.
#[expect(clippy::cast_precision_loss, reason = "argued above")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

fn bucket(took: Duration) -> usize {
    let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let doublings = us.ilog2();
    // The two bits after the first: which fourth of the doubling it is.
    let fourth = if doublings < 2 { 0 } else { (us >> (doublings - 2)) & 3 };
    let bucket = u64::from(doublings) * 4 + fourth;
    usize::try_from(bucket).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// What is in a bucket took less.
fn end_of(bucket: usize) -> Duration {
    let next = u32::try_from(bucket + 1).unwrap_or(u32::MAX);
    let (doublings, fourth) = (next / 4, next % 4);
    Duration::from_micros((1 << doublings.min(60)) * (4 + u64::from(fourth)) / 4)
}

/// One that has begun. Who gives up waiting counts as one that failed: a build that never answers
/// is found out by that alone.
struct Waiting<'c> {
    counts: Option<&'c Counts>,
    began: Instant,
}

impl<'c> Waiting<'c> {
    fn for_one_of(counts: &'c Counts) -> Self {
        Self { counts: Some(counts), began: Instant::now() }
    }

    fn ended(mut self, has_failed: bool) {
        if let Some(counts) = self.counts.take() {
            counts.note(self.began, has_failed);
        }
    }

    fn does_not_count(mut self) {
        self.counts = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(counts) = self.counts {
            counts.note(self.began, true);
        }
    }
}

/// Something whose outcomes are counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted<T> {
    pub(crate) inner: T,
    pub(crate) counts: Arc<Counts>,
}

impl Handler for Counted<HttpHandler> {
    fn deadline(&self) -> Duration {
        self.inner.deadline()
    }

    fn stream_deadline(&self) -> Duration {
        self.inner.stream_deadline()
    }

    async fn handle(
        &self,
        request: Request<Body>,
        context: CallContext,
    ) -> Result<Response<Body>, HandleError> {
        let waiting = Waiting::for_one_of(&self.counts);
        let outcome = self.inner.handle(request, context).await;
        match &outcome {
            Ok(response) => waiting.ended(response.status().is_server_error()),
            // That is of all who come at once, whichever build they meet.
            Err(HandleError::Overloaded) => waiting.does_not_count(),
            Err(_) => waiting.ended(true),
        }
        outcome
    }
}

impl Counted<Function> {
    /// Calls, and counts: `is_bad` says whether an answer is a failure.
    pub(crate) async fn call(
        &self,
        arguments: Vec<Value>,
        context: &CallContext,
        is_bad: impl FnOnce(&Value) -> bool,
    ) -> Result<Option<Value>, CallError> {
        let waiting = Waiting::for_one_of(&self.counts);
        let outcome = self.inner.call(arguments, context).await;
        match &outcome {
            Ok(answer) => waiting.ended(answer.as_ref().is_some_and(is_bad)),
            // As above; and arguments that do not fit are the caller's.
            Err(CallError::Overloaded | CallError::Arguments(_)) => waiting.does_not_count(),
            Err(_) => waiting.ended(true),
        }
        outcome
    }
}

impl ward_grpc::Invoke for Counted<Function> {
    async fn call(
        &self,
        arguments: Vec<Value>,
        context: &CallContext,
    ) -> Result<Option<Value>, CallError> {
        Self::call(self, arguments, context, |_| false).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(took: &[u64]) -> Tally {
        let counts = Counts::default();
        for us in took {
            counts.took[bucket(Duration::from_micros(*us))].fetch_add(1, Relaxed);
        }
        counts.tally()
    }

    #[test]
    fn a_bucket_is_told_from_the_next_by_a_fifth_at_most() {
        for us in [1, 4, 5, 7, 8, 1000, 1999, 123_456, 3_600_000_000] {
            let end = end_of(bucket(Duration::from_micros(us))).as_micros();
            assert!(end >= u128::from(us), "{us} {end}");
            assert!(us < 8 || end <= u128::from(us) * 5 / 4 + 1, "{us} {end}");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn the_slowest_of_a_hundred_is_what_the_99th_percentile_leaves_out() {
        assert_eq!(Tally::default().p99(), Duration::ZERO);
        assert_eq!(tally(&[]).p99(), Duration::ZERO);
        let mut took = vec![1000; 99];
        took.push(1_000_000);
        assert!(tally(&took).p99() >= Duration::from_secs(1), "one of a hundred is 1 in 100");
        took.extend([1000; 100]);
        let p99 = tally(&took).p99();
        assert!(p99 < Duration::from_millis(2), "{p99:?}");
    }

    #[test]
    fn who_gives_up_waiting_counts_as_a_failure() {
        let counts = Counts::default();
        drop(Waiting::for_one_of(&counts));
        Waiting::for_one_of(&counts).ended(false);
        Waiting::for_one_of(&counts).does_not_count();
        let tally = counts.tally();
        assert_eq!((tally.all(), tally.failed), (2, 1));
    }

    #[test]
    fn times_are_told_apart_and_added() {
        let counts = Counts::default();
        counts.note(Instant::now(), true);
        let earlier = counts.tally();
        counts.note(Instant::now(), false);
        let since = counts.tally().since(&earlier);
        assert_eq!((since.all(), since.failed), (1, 0));
        let both = since.and(&earlier);
        assert_eq!((both.all(), both.failed), (2, 1));
        assert!((both.failed_part() - 0.5).abs() < 1e-9);
        assert_eq!(Tally::default().and(&both), both);
    }
}
