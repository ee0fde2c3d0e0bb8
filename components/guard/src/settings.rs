//! The public key and the names a token must carry, from the variables of the component behind,
//! and what was verified with them.
//!
//! Asking the host for three variables costs more than everything else on a request with a known
//! token, so they are kept, for at most [`KEPT_SECONDS`]. What is known of tokens goes when they
//! change: what an old key signed is not good for a new one.

use std::cell::RefCell;
use std::rc::Rc;

use spin_sdk::variables;
use token::{Settings, Trust};

/// How long variables are kept, which is how long a key that was taken back is still believed by
/// an instance. Instances that idle for a second are gone anyway.
const KEPT_SECONDS: u64 = 30;

/// What a log line says when the variables are of no use. Never a part of their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable(pub(crate) &'static str);

/// What tokens are verified with, and when that was read.
struct Kept {
    read_at: u64,
    trust: Rc<Trust>,
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

impl Kept {
    fn is_fresh(&self, now: u64) -> bool {
        (self.read_at..self.read_at.saturating_add(KEPT_SECONDS)).contains(&now)
    }
}

/// What tokens are verified with at `now` (seconds of the Unix epoch).
pub(crate) async fn trust(now: u64) -> Result<Rc<Trust>, Unusable> {
    let kept = KEPT.with_borrow(|kept| {
        kept.as_ref().filter(|kept| kept.is_fresh(now)).map(|kept| Rc::clone(&kept.trust))
    });
    match kept {
        Some(kept) => Ok(kept),
        None => renew(read().await?, now),
    }
}

/// Puts settings just read into place. What is known of tokens stays where they are the same.
fn renew(settings: Settings, now: u64) -> Result<Rc<Trust>, Unusable> {
    KEPT.with_borrow_mut(|kept| {
        let same = kept.take().filter(|kept| *kept.trust.settings() == settings);
        let trust = match same {
            Some(same) => same.trust,
            None => {
                let unusable = |_| Unusable("jwt_public_key-no-key");
                Rc::new(Trust::new(settings).map_err(unusable)?)
            }
        };
        Ok(Rc::clone(&kept.insert(Kept { read_at: now, trust }).trust))
    })
}

async fn read() -> Result<Settings, Unusable> {
    Ok(Settings {
        public_key: variable("jwt_public_key").await?,
        issuer: variable("jwt_issuer").await?,
        audience: variable("jwt_audience").await?,
    })
}

async fn variable(name: &'static str) -> Result<String, Unusable> {
    variables::get(name).await.map_err(|_| Unusable(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    /// Two keys made for these tests and used nowhere else; the text inside the PEM armour.
    const PUBLIC: [&str; 2] = [
        "MCowBQYDK2VwAyEAxJHo+wFuOVd6oAflaDLcZ+m5rFJYRW+d1WX3gQRzxdA=",
        "MCowBQYDK2VwAyEAucXivxRNsZLYY8TxEni0xJVBYyC3WjAlP37yZ+Qg83M=",
    ];

    fn settings(text: &str) -> Settings {
        Settings {
            public_key: format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----"),
            issuer: "issuer".to_owned(),
            audience: "ward".to_owned(),
        }
    }

    #[test]
    fn only_other_settings_begin_anew() {
        let old = renew(settings(PUBLIC[0]), NOW).unwrap();
        let same = renew(settings(PUBLIC[0]), NOW + KEPT_SECONDS).unwrap();
        assert!(Rc::ptr_eq(&old, &same));
        let new = renew(settings(PUBLIC[1]), NOW + KEPT_SECONDS).unwrap();
        assert!(!Rc::ptr_eq(&old, &new));
        assert_eq!(*new.settings(), settings(PUBLIC[1]));
        let unusable = renew(settings("key"), NOW).unwrap_err();
        assert_eq!(unusable, Unusable("jwt_public_key-no-key"));
    }

    #[test]
    fn settings_are_kept_for_a_while() {
        let kept = Kept { read_at: NOW, trust: renew(settings(PUBLIC[0]), NOW).unwrap() };
        for (now, fresh) in [
            (NOW - 1, false),
            (NOW, true),
            (NOW + KEPT_SECONDS - 1, true),
            (NOW + KEPT_SECONDS, false),
        ] {
            assert_eq!(kept.is_fresh(now), fresh, "{now}");
        }
    }
}
