//! Whether a token's session has ended. A store that cannot be asked lets nobody in.

use kit::problem::Problem;
use kit::{log, session};
use spin_sdk::wasip3::http::types::Fields;
use token::Identity;

use crate::admit::request_id;

/// When to come again where it cannot be told. A database that was restarted is back in a second.
const RETRY_AFTER_SECONDS: u16 = 1;

/// Whether it has, or the answer where that cannot be told.
pub(crate) async fn has_ended(identity: &Identity, headers: &Fields) -> Result<bool, Problem> {
    session::has_ended(&identity.session.to_string()).await.map_err(|unknown| {
        log::failure("guard", unknown.0, &request_id(headers));
        Problem::unavailable(RETRY_AFTER_SECONDS)
    })
}
