//! A WIT interface as a protobuf service: each function an rpc.

use prost_types::FileDescriptorSet;

use crate::{Contract, DecodeError, Naming, Refusal, Value};

/// A protobuf service that was derived from a WIT interface.
#[derive(Debug, Clone)]
pub struct Service {
    methods: Vec<Method>,
}

impl Service {
    /// Derives the service of `interface`, such as `pms:billing/accounts@1.0.0`; the version may be
    /// left out where the contract has only one. Everything without a faithful form is refused, and
    /// all of it at once.
    pub fn derive(
        contract: &Contract,
        interface: &str,
        naming: &Naming,
    ) -> Result<Service, Vec<Refusal>> {
        let _ = (contract, interface, naming);
        Err(Vec::new())
    }

    /// The name that clients call it by: `BillingService` or `pms.billing.v1.Accounts`.
    pub fn full_name(&self) -> &str {
        ""
    }

    /// The interface it was derived from, with its version.
    pub fn interface(&self) -> &str {
        ""
    }

    /// Its methods, in order of declaration.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Descriptors of its file and of all that it imports, imported ones first.
    pub fn file_descriptor_set(&self) -> FileDescriptorSet {
        FileDescriptorSet::default()
    }

    /// Its .proto file; with types from other packages, several files one after another, each after
    /// a line `// file: <name>`.
    pub fn proto_text(&self) -> String {
        String::new()
    }

    /// Its .proto files by name, imported ones first.
    pub fn proto_files(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// The descriptors of several services in one set, as a reflection service needs them: files that
/// several of them have become one. Two different things of one name are refused.
pub fn merge(services: &[&Service]) -> Result<FileDescriptorSet, Vec<Refusal>> {
    let _ = services;
    Ok(FileDescriptorSet::default())
}

/// A function as an rpc.
#[derive(Debug, Clone)]
pub struct Method {
    name: String,
    function: String,
}

/// One argument of a call, in order of the function's parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// From the message.
    Value(Value),
    /// Supplied by the trigger: the record type with this index in [`Naming::ambient`].
    Ambient(usize),
}

impl Method {
    /// The rpc's name: `CreateBillingAccount`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The function's name in WIT: `create-billing-account`.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Reads a request into the function's arguments.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<Argument>, DecodeError> {
        let _ = bytes;
        Ok(Vec::new())
    }

    /// Writes what the function returned behind what `out` holds. An `err` of the function's
    /// `result` is a [`Failure::Case`], and nothing is written then.
    pub fn encode(&self, result: Option<&Value>, out: &mut Vec<u8>) -> Result<(), Failure> {
        let _ = (result, out);
        Ok(())
    }
}

/// Why there is no response to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The function answered with a case of its error type.
    #[error("the function answered with its error case `{name}`")]
    Case {
        /// The case as the contract names it: `not-found`. `unknown` for an error that is a plain
        /// string or nothing.
        name: String,
        /// Its text, for the caller.
        message: Option<String>,
        /// What is wrong with which field, for the caller.
        violations: Vec<Violation>,
    },
    /// The value is not what the function returns.
    #[error("{}", crate::Mismatch)]
    Mismatch,
}

/// One thing that is wrong with a request: the field, and a description of what is wrong.
pub type Violation = (String, String);
