//! Whether a stranger can tell by the clock who has an account: wrong passwords for users there are
//! and for names that nobody has, in turns, each from an address of its own so that nobody waits.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Instant;

use crate::{Api, DEMO_EMAIL, Random, Ward, unique_email};

/// How far the two may be apart, in standard errors of their difference (Welch's t): chance alone
/// goes beyond in one of a thousand runs.
const T_MAX: f64 = 3.3;

/// What two thousand logins took, in milliseconds.
pub struct Timing {
    known: Moments,
    unknown: Moments,
}

/// A mean, the variance around it, and of how many.
struct Moments {
    mean: f64,
    variance: f64,
    count: f64,
}

/// Tries so many of each.
pub async fn timing(ward: &Ward, of_each: usize) -> Timing {
    let mut random = Random::seeded("timing");
    let mut times = [Vec::new(), Vec::new()];
    // The first ones compile nothing, but they open connections to the database.
    for at in 0..2 * of_each + 20 {
        // In pairs of which either may come first: whatever else the machine does hits both.
        let is_known = (at % 2 == 0) ^ (random.below(2) == 0);
        let took = login(ward, at, is_known).await;
        if at >= 20 {
            times[usize::from(is_known)].push(took);
        }
    }
    let [unknown, known] = times.map(|times| Moments::of(&times));
    Timing { known, unknown }
}

/// How long a wrong password took.
async fn login(ward: &Ward, at: usize, is_known: bool) -> f64 {
    let [high, low] = u16::try_from(at).expect("as many addresses").to_be_bytes();
    let address = Ipv4Addr::new(127, 2, high, low.max(1));
    let api = Api::from_address(ward.gateway(), &address.to_string());
    let email = if is_known { DEMO_EMAIL.to_owned() } else { unique_email("nobody") };
    // Its connection is there.
    api.get("/.well-known/spin/health").await;
    let start = Instant::now();
    let answer = api.login(&email, "not the password").await;
    let took = start.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(answer.status, 401, "{answer:?}");
    took
}

impl Moments {
    /// Of all but the slowest twentieth, which something else made slow.
    fn of(times: &[f64]) -> Moments {
        let mut times = times.to_vec();
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() * 19 / 20);
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let squares = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>();
        Moments { mean, variance: squares / (count - 1.0), count }
    }
}

impl Timing {
    /// The difference in standard errors.
    fn t(&self) -> f64 {
        let Timing { known, unknown } = self;
        let error = known.variance / known.count + unknown.variance / unknown.count;
        (known.mean - unknown.mean) / error.sqrt()
    }

    /// Whether the two cannot be told apart.
    pub fn is_right(&self) -> bool {
        self.t().abs() <= T_MAX
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_right() { "ok" } else { "FAIL" };
        let (known, unknown) = (self.known.mean, self.unknown.mean);
        let t = self.t();
        write!(
            f,
            "{verdict:<4} timing       known {known:.3} ms, unknown {unknown:.3} ms, t {t:.2}"
        )
    }
}
