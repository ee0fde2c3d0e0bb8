//! Who is calling, as the component is told: the record `pms:common/types.caller`, made from the
//! token that was verified. What the client merely said are the ids by which its call is followed.
//!
//! A contract may get further fields at its end, and a component knows those it was built with: its
//! own contract says which it is given.

use token::Identity;
use ward_runtime::RequestId;
use ward_wire::{Argument, Contract, Value};

/// The record's interface and name.
const CALLER: [&str; 2] = ["pms:common/types", "caller"];

/// The record by its full name.
pub(crate) fn name() -> String {
    CALLER.join(".")
}

/// One field of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    User,
    Role,
    Token,
    Request,
    Trace,
}

/// The fields of the record in a component's contract, in order; none where it does not have it.
///
/// # Errors
/// A field that nobody here knows how to fill in, or several versions of the record.
pub(crate) fn fields(contract: &Contract) -> Result<Box<[Field]>, String> {
    let [interface, record] = CALLER;
    let known = |name: String| match name.as_str() {
        "user-id" => Ok(Field::User),
        "role" => Ok(Field::Role),
        "token-id" => Ok(Field::Token),
        "request-id" => Ok(Field::Request),
        "traceparent" => Ok(Field::Trace),
        _ => Err(format!("`{}` has a field `{name}`, which this host does not know", self::name())),
    };
    let versions = contract.interfaces();
    let is = |name: &&String| name.split('@').next() == Some(interface);
    match versions.iter().filter(is).collect::<Vec<_>>().as_slice() {
        [] => Ok(Box::default()),
        [one] => contract.fields(one, record).into_iter().flatten().map(known).collect(),
        _ => Err(format!("there are several versions of `{interface}`")),
    }
}

/// What there is to tell of a call.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// A public method has none, even if a token came along: nobody looked at it.
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) request_id: RequestId,
    /// Empty for none.
    pub(crate) traceparent: &'a str,
}

impl Caller<'_> {
    /// Puts the caller where the function asks for it.
    pub(crate) fn supply(self, arguments: Vec<Argument>, fields: &[Field]) -> Vec<Value> {
        let supply = |argument| match argument {
            Argument::Value(value) => value,
            // There is only one record that the trigger supplies.
            Argument::Ambient(_) => {
                Value::Record(fields.iter().map(|field| self.value(*field)).collect())
            }
        };
        arguments.into_iter().map(supply).collect()
    }

    fn value(self, field: Field) -> Value {
        let of = |read: fn(&Identity) -> String| self.identity.map(read).unwrap_or_default();
        Value::String(match field {
            Field::User => of(|identity| identity.subject.to_string()),
            Field::Role => of(|identity| identity.role.as_str().to_owned()),
            Field::Token => of(|identity| identity.token_id.to_string()),
            Field::Request => self.request_id.to_string(),
            Field::Trace => self.traceparent.to_owned(),
        })
    }
}
