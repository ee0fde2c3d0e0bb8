//! What an audit row says about who asks: the same first five parameters in every statement of
//! every service; and what an event says of the trace it belongs to.

use spin_sdk::pg::ParameterValue;

use crate::database;

/// Who asks, as audit rows know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access<'a> {
    /// The caller's id, a UUID; `None` for the system itself.
    pub actor: Option<&'a str>,
    /// The caller's role.
    pub role: &'a str,
    /// The id of the token that was presented.
    pub token_id: Option<&'a str>,
    /// The request's id.
    pub request_id: Option<&'a str>,
    /// The network address that the request came from.
    pub address: Option<&'a str>,
    /// The trace that the request belongs to.
    pub traceparent: Option<&'a str>,
}

impl Access<'_> {
    /// The system itself, whom no request has asked.
    pub const SYSTEM: Access<'static> = Access {
        actor: None,
        role: "SYSTEM",
        token_id: None,
        request_id: None,
        address: None,
        traceparent: None,
    };

    /// The values of `$1::uuid`, `$2::text` to `$4::text` and `$5::text::inet` (actor, role, token,
    /// request, address), then `more`.
    pub fn values(&self, more: impl IntoIterator<Item = ParameterValue>) -> Vec<ParameterValue> {
        let who = [
            self.actor.map_or(ParameterValue::DbNull, database::uuid),
            database::text(self.role),
            optional(self.token_id),
            optional(self.request_id),
            optional(self.address),
        ];
        who.into_iter().chain(more).collect()
    }

    /// The value of an event's column `traceparent`.
    pub fn trace(&self) -> ParameterValue {
        optional(self.traceparent)
    }
}

/// The value of a column of texts that may be NULL.
pub fn optional(text: Option<&str>) -> ParameterValue {
    text.map_or(ParameterValue::DbNull, database::text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SDK's values cannot be compared.
    fn shown(values: &[ParameterValue]) -> String {
        format!("{values:?}").replace("ParameterValue::", "").trim_matches(['[', ']']).to_owned()
    }

    #[test]
    fn what_is_unknown_is_null() {
        let values = Access::SYSTEM.values([ParameterValue::Int64(7), Access::SYSTEM.trace()]);
        let nobodys = "DbNull, Str(\"SYSTEM\"), DbNull, DbNull, DbNull, Int64(7), DbNull";
        assert_eq!(shown(&values), nobodys);
        let access = Access {
            actor: Some("u"),
            role: "ADMIN",
            token_id: Some("t"),
            request_id: Some("r"),
            address: Some("::1"),
            traceparent: None,
        };
        let values = access.values([]);
        let all = "Uuid(\"u\"), Str(\"ADMIN\"), Str(\"t\"), Str(\"r\"), Str(\"::1\")";
        assert_eq!(shown(&values), all);
    }
}
