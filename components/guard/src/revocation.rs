//! Refuses tokens whose session has ended. A store that cannot be asked lets nobody in.

use kit::problem::Problem;
use kit::{log, session};
use spin_sdk::wasip3::http::types::Fields;
use token::{Identity, Refusal};

use crate::admit::{refuse, request_id};

/// When to come again where it cannot be told. A database that was restarted is back in a second.
const RETRY_AFTER_SECONDS: u16 = 1;

/// Lets pass whose session goes on; others are told what any bad token is told.
pub(crate) async fn check(identity: &Identity, headers: &Fields) -> Result<(), Problem> {
    match session::has_ended(&identity.session.to_string()).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(refuse(Refusal::Invalid, headers)),
        Err(unknown) => {
            log::failure("guard", unknown.0, &request_id(headers));
            Err(Problem::unavailable(RETRY_AFTER_SECONDS))
        }
    }
}
