//! Sessions that have ended before their tokens, as the manifest says where to look: a token of one
//! is as good as none, and while nobody can tell, nobody is let in.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use token::Identity;
use tonic::Status;

use crate::status;

/// Says whether a store has a key; the error is for the log, and never has the key.
pub type Look = Arc<dyn Fn(String) -> BoxFuture<'static, Result<bool, String>> + Send + Sync>;

/// Where sessions that have ended are written down.
#[derive(Clone)]
pub struct Revoked {
    prefix: Arc<str>,
    look: Look,
}

impl Revoked {
    /// A session has ended when `look` finds the key of `prefix` and its id.
    #[must_use]
    pub fn new(prefix: &str, look: Look) -> Self {
        Self { prefix: prefix.into(), look }
    }

    /// Whether the identity's session has ended; a status where nobody can tell.
    pub(crate) async fn has_ended(&self, identity: &Identity) -> Result<bool, Status> {
        let ended = (self.look)(format!("{}{}", self.prefix, identity.session)).await;
        ended.map_err(|reason| {
            tracing::error!(reason, "nobody can tell whether a session has ended");
            status::unknown_session()
        })
    }
}

impl fmt::Debug for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revoked").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
