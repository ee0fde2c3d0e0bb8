//! `pms:patients/upkeep`: billing is told again what it did not hear, a few patients at a time.
//!
//! The host calls it every few seconds, in each replica. Notes that are due are taken up under a
//! lease, so that two replicas rarely work on the same ones; if they do, or if one is killed in the
//! middle, billing hears something twice, which it is made for.

use std::time::{Duration, Instant};

use kit::audit::Access;
use kit::database::{Database, Fault};
use kit::log;

use crate::billing;
use crate::bindings::exports::pms::patients::upkeep::Guest;
use crate::handlers::DATABASE;
use crate::store::due;

/// Notes taken up at once: few enough to be told within their lease of some seconds, as long as
/// billing answers; and once it does not, the rest of them is left.
const BATCH: i64 = 16;
/// When to stop for now, well before the host would stop us: the rest is for the next call.
const TURN: Duration = Duration::from_secs(10);
/// Nobody in particular: the application itself.
const SYSTEM: Access<'static> =
    Access { actor: None, role: "SYSTEM", token_id: None, request_id: None };

/// What exports the interface.
pub(crate) struct Component;

impl Guest for Component {
    async fn open_missing_accounts() -> Result<u32, String> {
        tell_again().await.map_err(|fault| {
            log::failure_in("patients.upkeep", fault.cause(), None);
            // The same word: it comes from our own source or is a SQLSTATE.
            fault.cause().to_owned()
        })
    }
}

/// Works through what is due until nothing is, billing does not answer, or the turn is over.
async fn tell_again() -> Result<u32, Fault> {
    let begun = Instant::now();
    let database = Database::open(DATABASE).await?;
    loop {
        let taken = due::take(&database, BATCH).await?;
        let full = i64::try_from(taken.len()).is_ok_and(|count| count == BATCH);
        let mut heard = Vec::new();
        let mut answering = true;
        for due in taken {
            match billing::call(&SYSTEM, &due).await {
                Ok(_) => heard.push(due),
                Err(cause) => {
                    log::failure_in("patients.upkeep-billing", cause, None);
                    // The others would hardly fare better; they are due again when their leases
                    // end. One that fails for a reason of its own is due later than they are, so
                    // that it does not hold them up twice.
                    answering = false;
                    break;
                }
            }
        }
        due::settle(&database, &heard).await?;
        if !full || !answering || begun.elapsed() > TURN {
            return due::count(&database).await;
        }
    }
}
