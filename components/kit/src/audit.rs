//! What an audit row says about who asks: the same first four parameters in every statement of
//! every service.

use spin_sdk::pg::ParameterValue;

use crate::database;
use crate::identity::Identity;

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
}

impl<'a> Access<'a> {
    /// The access of somebody whom guard has named.
    pub fn of(identity: &'a Identity, request_id: Option<&'a str>) -> Self {
        Self {
            actor: Some(&identity.user_id),
            role: &identity.role,
            token_id: Some(&identity.token_id),
            request_id,
        }
    }

    /// The values of `$1::uuid` and `$2::text` to `$4::text` (actor, role, token, request), then
    /// `more`.
    pub fn values(&self, more: impl IntoIterator<Item = ParameterValue>) -> Vec<ParameterValue> {
        let optional = |text: Option<&str>| text.map_or(ParameterValue::DbNull, database::text);
        let who = [
            self.actor.map_or(ParameterValue::DbNull, database::uuid),
            database::text(self.role),
            optional(self.token_id),
            optional(self.request_id),
        ];
        who.into_iter().chain(more).collect()
    }
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
        let system = Access { actor: None, role: "SYSTEM", token_id: None, request_id: None };
        let values = system.values([ParameterValue::Int64(7)]);
        assert_eq!(shown(&values), "DbNull, Str(\"SYSTEM\"), DbNull, DbNull, Int64(7)");
        let identity = Identity {
            user_id: "u".to_owned(),
            role: "ADMIN".to_owned(),
            token_id: "t".to_owned(),
        };
        let values = Access::of(&identity, Some("r")).values([]);
        assert_eq!(shown(&values), "Uuid(\"u\"), Str(\"ADMIN\"), Str(\"t\"), Str(\"r\")");
    }
}
