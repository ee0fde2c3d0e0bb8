//! The session that a stream belongs to: when it ends, so does the stream.

use std::time::Instant;

use kit::Problem;
use kit::caller::Caller;
use kit::session::{Unknown, has_ended};

use crate::limits::SESSION_EVERY;

/// The session, and when it was last known to go on.
pub(super) struct Session {
    id: String,
    asked: Option<Instant>,
}

impl Session {
    /// The caller's; 401 without one, which guard always names.
    pub(super) fn of(caller: &Caller) -> Result<Self, Problem> {
        let id = caller.session_id.clone().ok_or_else(Problem::unauthorized)?;
        Ok(Self { id, asked: None })
    }

    /// Whether it has ended. The store is asked every [`SESSION_EVERY`]: it has no question about
    /// several keys, and one for each stream costs a few microseconds.
    pub(super) async fn has_ended(&mut self) -> Result<bool, Unknown> {
        if self.asked.is_some_and(|at| at.elapsed() < SESSION_EVERY) {
            return Ok(false);
        }
        let now = Instant::now();
        let ended = has_ended(&self.id).await?;
        self.asked = Some(now);
        Ok(ended)
    }
}
