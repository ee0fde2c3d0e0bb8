//! Who asks, through whichever door: HTTP behind guard, or a call from another component or from a
//! trigger, which pass the caller on as a value.
//!
//! Nothing is believed that does not look as it should: what is kept here goes into audit rows and
//! log lines.

use std::net::IpAddr;

use http::HeaderMap;

use crate::audit::Access;
use crate::identity::{self, Identity};
use crate::{Problem, peer, uuid};

/// A caller, and the request that all of it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// A UUID in canonical form; `None` for the system itself.
    pub user_id: Option<String>,
    /// The role, e.g. `ADMIN`.
    pub role: String,
    /// The id of the token that was presented, if there was one.
    pub token_id: Option<String>,
    /// The session that token belongs to, a UUID in canonical form; only HTTP tells.
    pub session_id: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The network address that the request came from.
    pub address: Option<String>,
    /// The trace that the request belongs to.
    pub traceparent: Option<String>,
}

impl Caller {
    /// The caller that guard names in the headers; 401 without one.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        let Identity { user_id, role, token_id, session_id } = Identity::from_headers(headers)?;
        let (user_id, token_id) = (Some(user_id), Some(token_id));
        Ok(Self { user_id, role, token_id, session_id, ..Self::nobody(headers) })
    }

    /// Nobody, asking with these headers: no user and no role. For what is open to everybody.
    pub fn nobody(headers: &HeaderMap) -> Self {
        let request_id = identity::request_id(headers).map(str::to_owned);
        let address = peer::address(headers).map(|address| address.to_string());
        let traceparent = identity::traceparent(headers).map(str::to_owned);
        Self {
            user_id: None,
            role: String::new(),
            token_id: None,
            session_id: None,
            request_id,
            address,
            traceparent,
        }
    }

    /// The caller that came as a value, with an empty text for what there is not. `None` if it is
    /// nobody: a user id that is no UUID, or no role. A request id that is no plain word is left
    /// out, and so are an address and a trace that are none, as they are from headers.
    pub fn from_parts([user_id, role, token_id]: [&str; 3], which: [&str; 3]) -> Option<Self> {
        let user_id = if user_id.is_empty() { None } else { Some(uuid::parse(user_id)?) };
        let token = if token_id.is_empty() { None } else { Some(identity::short_word(token_id)?) };
        Some(Self {
            user_id,
            role: identity::short_word(role)?.to_owned(),
            token_id: token.map(str::to_owned),
            ..Self::unknown(which)
        })
    }

    /// Nobody who is known, asking in the request of this id, from this address and in this trace.
    pub fn unknown([request_id, address, traceparent]: [&str; 3]) -> Self {
        let address = address.parse::<IpAddr>().ok();
        Self {
            user_id: None,
            role: String::new(),
            token_id: None,
            session_id: None,
            request_id: identity::request_id_in(request_id).map(str::to_owned),
            address: address.map(|address| address.to_canonical().to_string()),
            traceparent: identity::traceparent_in(traceparent).map(str::to_owned),
        }
    }

    /// Whether their role has this scope. What an operation takes as a whole was looked at before;
    /// this is for what it shows.
    pub fn has(&self, scope: &str) -> bool {
        policy::allows(&self.role, scope)
    }

    /// What the audit log is told.
    pub fn access(&self) -> Access<'_> {
        Access {
            actor: self.user_id.as_deref(),
            role: &self.role,
            token_id: self.token_id.as_deref(),
            request_id: self.request_id.as_deref(),
            address: self.address.as_deref(),
            traceparent: self.traceparent.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn callers_from_parts() {
        let check = |parts: [&str; 4], known: bool| {
            let [user, role, token, request] = parts;
            let caller = Caller::from_parts([user, role, token], [request, "", ""]);
            assert_eq!(caller.is_some(), known, "{parts:?}");
        };
        check([ID, "ADMIN", "t", "r"], true);
        check(["", "SYSTEM", "", ""], true);
        check(["root", "ADMIN", "t", "r"], false);
        check([ID, "", "t", "r"], false);
        check([ID, "A B", "t", "r"], false);
        check([ID, "ADMIN", "t\n", "r"], false);
        let odd = ["a b", "localhost", "Jane Roe"];
        let odd = Caller::from_parts([ID, "ADMIN", "t"], odd).unwrap();
        assert_eq!((odd.request_id, odd.address, odd.traceparent), (None, None, None));
    }

    #[test]
    fn both_doors_make_the_same_caller() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (identity::USER_ID, ID),
            (identity::USER_ROLE, "ADMIN"),
            (identity::TOKEN_ID, "t"),
            ("x-request-id", "r"),
            ("traceparent", TRACE),
            ("spin-client-addr", "[::ffff:192.0.2.1]:443"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let which = ["r", "192.0.2.1", TRACE];
        let by_value = Caller::from_parts([&ID.to_uppercase(), "ADMIN", "t"], which);
        assert_eq!(Caller::from_headers(&headers), Ok(by_value.unwrap()));
        assert!(Caller::from_headers(&HeaderMap::new()).is_err());
    }
}
