//! Who is calling, as the component is told: the record `pms:common/types.caller`, made from the
//! token that was verified and from nothing that the client merely said.

use token::Identity;
use ward_wire::{Argument, Value};

/// Puts the caller where the function asks for it. The fields are in the contract's order: user,
/// role, token, request. A public method has no user, even if a token came along: nobody looked at
/// it.
pub(crate) fn supply(
    arguments: Vec<Argument>,
    identity: Option<&Identity>,
    request_id: &str,
) -> Vec<Value> {
    let supply = |argument| match argument {
        Argument::Value(value) => value,
        // There is only one record that the trigger supplies.
        Argument::Ambient(_) => caller(identity, request_id),
    };
    arguments.into_iter().map(supply).collect()
}

fn caller(identity: Option<&Identity>, request_id: &str) -> Value {
    let [user, role, token] = match identity {
        Some(identity) => [
            identity.subject.to_string(),
            identity.role.as_str().to_owned(),
            identity.token_id.to_string(),
        ],
        None => Default::default(),
    };
    Value::Record([user, role, token, request_id.to_owned()].map(Value::String).into())
}
