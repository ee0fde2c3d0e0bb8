//! One record type as a protobuf message of its own, for values that travel without an rpc.

use prost_types::FileDescriptorSet;

use crate::{Contract, DecodeError, Mismatch, Naming, Refusal, Value};

/// A record type as a protobuf message, in bytes and in JSON.
#[derive(Debug, Clone)]
pub struct Message {
    full_name: String,
}

impl Message {
    /// Derives the message of a record of an interface: `pms:patients/events@1.0.0` and
    /// `patient-event`. [`Naming::service`] is not used.
    pub fn derive(
        contract: &Contract,
        interface: &str,
        record: &str,
        naming: &Naming,
    ) -> Result<Message, Vec<Refusal>> {
        let _ = (contract, interface, record, naming);
        Err(Vec::new())
    }

    /// The message's name with its package: `pms.patients.v1.PatientEvent`.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// Writes a value behind what `out` holds. After an error, `out` holds no more than before.
    pub fn encode(&self, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let _ = (value, out);
        Ok(())
    }

    /// Reads a value.
    pub fn decode(&self, bytes: &[u8]) -> Result<Value, DecodeError> {
        let _ = bytes;
        Ok(Value::Record(Vec::new()))
    }

    /// The value in protobuf's JSON form, with every field that is not an unset `option`.
    pub fn to_json(&self, value: &Value) -> Result<serde_json::Value, Mismatch> {
        let _ = value;
        Ok(serde_json::Value::Null)
    }

    /// Reads a value from protobuf's JSON form. Unknown names are refused.
    pub fn from_json(&self, json: &serde_json::Value) -> Result<Value, DecodeError> {
        let _ = json;
        Ok(Value::Record(Vec::new()))
    }

    /// Descriptors of its file and of all that it imports, imported ones first.
    pub fn file_descriptor_set(&self) -> FileDescriptorSet {
        FileDescriptorSet::default()
    }

    /// Its .proto file, or several as [`crate::Service::proto_text`] writes them.
    pub fn proto_text(&self) -> String {
        String::new()
    }
}
