//! The key and the names that go into tokens, from the component's variables.
//!
//! Variables are read for each request, so that a changed key takes effect at once; only the work
//! of reading the PEM is kept for as long as the instance lives and the variables stay the same.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use spin_sdk::variables;
use token::Signer;

/// What a log line says when the variables are of no use. Never a part of their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable(pub(crate) &'static str);

#[derive(PartialEq)]
struct Settings {
    private_key: String,
    issuer: String,
    audience: String,
}

thread_local! {
    /// The last key that was read, with what it was read from.
    static LAST: RefCell<Option<(Settings, Rc<Signer>)>> = const { RefCell::new(None) };
}

/// The signer the variables describe.
pub(crate) async fn signer() -> Result<Rc<Signer>, Unusable> {
    let settings = Settings {
        private_key: variable("jwt_private_key").await?,
        issuer: variable("jwt_issuer").await?,
        audience: variable("jwt_audience").await?,
    };
    LAST.with_borrow_mut(|last| match last {
        Some((known, signer)) if *known == settings => Ok(Rc::clone(signer)),
        _ => {
            let signer = Signer::new(&settings.private_key, &settings.issuer, &settings.audience);
            let signer = Rc::new(signer.map_err(|_| Unusable("jwt_private_key-no-key"))?);
            *last = Some((settings, Rc::clone(&signer)));
            Ok(signer)
        }
    })
}

async fn variable(name: &'static str) -> Result<String, Unusable> {
    variables::get(name).await.map_err(|_| Unusable(name))
}

/// Seconds of the Unix epoch; a clock before it reads as 0, when no token is good.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
