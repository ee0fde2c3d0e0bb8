//! One record type as a protobuf message of its own, for values that travel without an rpc.

use std::sync::Arc;

use prost_types::FileDescriptorSet;

use crate::derive::Deriver;
use crate::document::Document;
use crate::plan::{Label, MessagePlan};
use crate::{Contract, DecodeError, Mismatch, Naming, Refusal, Value};
use crate::{decode, descriptor, encode, json, text};

/// A record type as a protobuf message, in bytes and in JSON.
#[derive(Debug, Clone)]
pub struct Message {
    plan: Arc<MessagePlan>,
    document: Arc<Document>,
}

impl Message {
    /// Derives the message of a record of an interface: `shop:orders/events@1.0.0` and
    /// `order-event`. [`Naming::service`] is not used. What has no faithful form is refused, all
    /// of it at once.
    pub fn derive(
        contract: &Contract,
        interface: &str,
        record: &str,
        naming: &Naming,
    ) -> Result<Message, Vec<Refusal>> {
        let id = contract.find(interface).map_err(|refusal| vec![refusal])?;
        let mut deriver = Deriver::new(contract, id, naming)?;
        let plan = deriver.record(id, record);
        let document = Arc::new(deriver.finish()?);
        match plan {
            Some(plan) => Ok(Message { plan, document }),
            None => Err(Vec::new()),
        }
    }

    /// The message's name with its package: `shop.orders.v1.OrderEvent`.
    pub fn full_name(&self) -> &str {
        &self.plan.full_name
    }

    /// Writes a value behind what `out` holds. After an error, `out` holds no more than before.
    pub fn encode(&self, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        encode::encode(&self.plan, value, out)
    }

    /// Reads a value.
    pub fn decode(&self, bytes: &[u8]) -> Result<Value, DecodeError> {
        decode::decode(&self.plan, bytes)
    }

    /// The value in protobuf's JSON form, with every field that is not an unset `option`.
    pub fn to_json(&self, value: &Value) -> Result<serde_json::Value, Mismatch> {
        json::write(&self.plan, value)
    }

    /// Reads a value from protobuf's JSON form. Unknown names are refused; what is missing or null
    /// has its default.
    pub fn from_json(&self, json: &serde_json::Value) -> Result<Value, DecodeError> {
        json::read(&self.plan, json)
    }

    /// The fields that an object in JSON lacks or has as null, by their names there: of those that
    /// are neither an `option` nor a list. Reading gives each its default, which may be what nobody
    /// meant.
    pub fn missing(&self, json: &serde_json::Value) -> Vec<&str> {
        let is_given = |name: &str| json.get(name).is_some_and(|value| !value.is_null());
        let fields = self.plan.fields.iter().filter(|field| field.label == Label::Single);
        let missing = fields.filter(|field| !is_given(&field.json) && !is_given(&field.proto));
        missing.map(|field| field.json.as_str()).collect()
    }

    /// Descriptors of its file and of all that it imports, imported ones first.
    pub fn file_descriptor_set(&self) -> FileDescriptorSet {
        descriptor::set(&self.document)
    }

    /// Its .proto file, or several as [`crate::Service::proto_text`] writes them.
    pub fn proto_text(&self) -> String {
        text::text(&self.document)
    }
}
