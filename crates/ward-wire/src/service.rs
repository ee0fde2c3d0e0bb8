//! A WIT interface as a protobuf service: each function an rpc.

use std::sync::Arc;

use prost_types::FileDescriptorSet;

use crate::derive::Deriver;
use crate::document::Document;
use crate::{Contract, Method, Naming, Refusal, descriptor, text};

/// A protobuf service that was derived from a WIT interface.
///
/// | WIT | protobuf |
/// |---|---|
/// | package `shop:orders@1.0.0` | package `shop.orders.v1`, file `shop/orders/v1/orders.proto` |
/// | interface, function | service, rpc, in UpperCamel |
/// | the only parameter, if it is a record | the request |
/// | other parameters | `<Rpc>Request`, a field for each |
/// | a record, or the `ok` record of a `result` | the response |
/// | another answer, or none | `<Rpc>Response` with the field `result`, or empty |
/// | the `err` of a `result` | [`crate::Failure`] |
/// | `record` | message, fields numbered in order of declaration |
/// | `variant`, `result` inside a type | message with a oneof |
/// | a case without a payload | `google.protobuf.Empty` in the oneof |
/// | `tuple` | message with the fields `f0`, `f1`, … |
/// | `enum` | enum; 0 is `<ENUM>_UNSPECIFIED`, which is no case |
/// | `flags` | repeated enum |
/// | `option<T>` | `optional` |
/// | `list<T>`, `list<u8>` | `repeated`, `bytes` |
/// | a list or flags inside of a list, an option or a case | a message with the field `values` |
/// | `s8`, `s16`, `s32`; `u8`, `u16`, `u32` | `int32`; `uint32`, ranges checked |
/// | `s64`; `u64` | `int64`; `uint64` |
/// | `f32`, `f64`, `bool`, `string` | `float`, `double`, `bool`, `string` |
/// | `char` | `string` of one character |
///
/// Refused: resources, their handles and functions, streams, futures, maps, lists of fixed length,
/// error contexts, an option inside of an option, a list or a case, and errors with payloads that
/// are neither text nor field violations.
#[derive(Debug, Clone)]
pub struct Service {
    full_name: String,
    interface: String,
    methods: Vec<Method>,
    document: Arc<Document>,
}

impl Service {
    /// Derives the service of `interface`, such as `shop:orders/orders@1.0.0`; the version may be
    /// left out where the contract has only one. Everything without a faithful form is refused, and
    /// all of it at once.
    pub fn derive(
        contract: &Contract,
        interface: &str,
        naming: &Naming,
    ) -> Result<Service, Vec<Refusal>> {
        let id = contract.find(interface).map_err(|refusal| vec![refusal])?;
        let mut deriver = Deriver::new(contract, id, naming)?;
        let derived = deriver.service(id);
        let document = Arc::new(deriver.finish()?);
        let (full_name, methods) = derived.unwrap_or_default();
        let interface = contract.resolve.id_of(id).unwrap_or_else(|| interface.to_owned());
        Ok(Service { full_name, interface, methods, document })
    }

    /// The name that clients call it by: `OrderService` or `shop.orders.v1.Orders`.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// The interface it was derived from, with its version.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Its methods, in order of declaration.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Descriptors of its file and of all that it imports, imported ones first.
    pub fn file_descriptor_set(&self) -> FileDescriptorSet {
        descriptor::set(&self.document)
    }

    /// Its .proto file; with types from other packages, several files one after another, each after
    /// a line `// file: <name>`.
    pub fn proto_text(&self) -> String {
        text::text(&self.document)
    }

    /// Its .proto files by name, imported ones first.
    pub fn proto_files(&self) -> Vec<(String, String)> {
        text::files(&self.document)
    }
}

/// The descriptors of several services in one set, as a reflection service needs them: files that
/// several of them have become one. Two different things of one name are refused.
pub fn merge(services: &[&Service]) -> Result<FileDescriptorSet, Vec<Refusal>> {
    let documents = services.iter().map(|service| &*service.document);
    Ok(descriptor::set(&Document::merge(documents)?))
}

/// The .proto text of several interfaces: a service for each that has functions, the messages of
/// its records for each that has none. [`Naming::service`] is for a single one.
pub fn proto_text(
    contract: &Contract,
    interfaces: &[String],
    naming: &Naming,
) -> Result<String, Vec<Refusal>> {
    let mut documents = Vec::new();
    let mut refusals = Vec::new();
    for interface in interfaces {
        let derived = if contract.functions(interface).is_empty() {
            records(contract, interface, naming)
        } else {
            Service::derive(contract, interface, naming).map(|service| service.document)
        };
        match derived {
            Ok(document) => documents.push(document),
            Err(refused) => refusals.extend(refused),
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    Document::merge(documents.iter().map(|document| &**document)).map(|merged| text::text(&merged))
}

fn records(
    contract: &Contract,
    interface: &str,
    naming: &Naming,
) -> Result<Arc<Document>, Vec<Refusal>> {
    let id = contract.find(interface).map_err(|refusal| vec![refusal])?;
    let mut deriver = Deriver::new(contract, id, naming)?;
    for record in contract.records(interface) {
        deriver.record(id, &record);
    }
    deriver.finish().map(Arc::new)
}
