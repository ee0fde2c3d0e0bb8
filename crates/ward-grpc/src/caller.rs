//! Who is calling, as the component is told: the record that the manifest names as `caller`, made
//! from the token that was verified. What the client merely said are the ids by which its call is
//! followed.
//!
//! A contract may get further fields at its end, and a component knows those it was built with: its
//! own contract says which it is given.

use std::net::IpAddr;

use token::Identity;
use ward_manifest::CallerRecord;
use ward_runtime::RequestId;
use ward_wire::{Argument, Contract, Value};

/// What the record is usually called.
const USUAL_NAME: &str = "caller";
/// The field by which it is recognised where nobody has named it.
const USER: &str = "user-id";

/// One field of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    User,
    Role,
    Token,
    Request,
    Trace,
    Address,
}

/// The fields of the record in a component's contract, in order; none where it does not have it.
///
/// # Errors
/// A field that nobody here knows how to fill in, several versions of the record, or one that
/// looks like it and was not named.
pub(crate) fn fields(
    caller: Option<&CallerRecord>,
    contract: &Contract,
) -> Result<Box<[Field]>, String> {
    let Some(caller) = caller else { return refuse_unnamed(contract) };
    let CallerRecord { interface, record } = caller;
    let known = |name: String| match name.as_str() {
        USER => Ok(Field::User),
        "role" => Ok(Field::Role),
        "token-id" => Ok(Field::Token),
        "request-id" => Ok(Field::Request),
        "traceparent" => Ok(Field::Trace),
        "address" => Ok(Field::Address),
        _ => Err(format!("`{caller}` has a field `{name}`, which this host does not know")),
    };
    let versions = contract.interfaces();
    let is = |name: &&String| name.split('@').next() == Some(interface.as_str());
    let found = match versions.iter().filter(is).collect::<Vec<_>>().as_slice() {
        [] => None,
        [one] => contract.fields(one, record),
        _ => return Err(format!("there are several versions of `{interface}`")),
    };
    found.map_or_else(|| refuse_unnamed(contract), |fields| fields.into_iter().map(known).collect())
}

/// Left a part of messages, the record would be the client's to fill in: it could say who it is.
fn refuse_unnamed(contract: &Contract) -> Result<Box<[Field]>, String> {
    let has_it = |interface: &&String| {
        let fields = contract.fields(interface, USUAL_NAME).unwrap_or_default();
        fields.iter().any(|field| field == USER)
    };
    match contract.interfaces().iter().find(has_it) {
        None => Ok(Box::default()),
        Some(interface) => Err(format!(
            "clients would fill in `{USUAL_NAME}` of `{interface}` themselves; name it as `caller` \
             in [application.trigger.grpc]"
        )),
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
    /// The network address that it came from, if it is known.
    pub(crate) address: Option<IpAddr>,
}

impl Caller<'_> {
    /// Puts the caller where the function asks for it.
    pub(crate) fn supply(self, arguments: Vec<Argument>, fields: &[Field]) -> Vec<Value> {
        let supply = |argument| match argument {
            Argument::Value(value) => value,
            // There is only one record that the trigger supplies.
            Argument::Ambient(_) => self.record(fields),
        };
        arguments.into_iter().map(supply).collect()
    }

    /// The record.
    pub(crate) fn record(self, fields: &[Field]) -> Value {
        Value::Record(fields.iter().map(|field| self.value(*field)).collect())
    }

    fn value(self, field: Field) -> Value {
        let of = |read: fn(&Identity) -> String| self.identity.map(read).unwrap_or_default();
        Value::String(match field {
            Field::User => of(|identity| identity.subject.to_string()),
            Field::Role => of(|identity| identity.role.as_str().to_owned()),
            Field::Token => of(|identity| identity.token_id.to_string()),
            Field::Request => self.request_id.to_string(),
            Field::Trace => self.traceparent.to_owned(),
            Field::Address => self.address.map_or_else(String::new, |address| address.to_string()),
        })
    }
}
