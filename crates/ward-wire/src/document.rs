//! A set of .proto files as values: what was derived, with its comments, before it becomes
//! descriptors or text.

use std::sync::Arc;

use crate::Refusal;
use crate::descriptor;
use crate::plan::{EnumPlan, MessagePlan};

/// Files, imported ones before those that import them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    pub(crate) files: Vec<File>,
}

/// A .proto file: what was derived from one WIT package.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// `shop/orders/v1/orders.proto`
    pub(crate) name: String,
    /// `shop.orders.v1`, or empty.
    pub(crate) package: String,
    /// `shop:orders@1.0.0`
    pub(crate) source: String,
    pub(crate) docs: Option<String>,
    pub(crate) services: Vec<ServiceItem>,
    pub(crate) messages: Vec<MessageItem>,
    pub(crate) enums: Vec<EnumItem>,
}

#[derive(Debug, Clone)]
pub(crate) struct ServiceItem {
    /// Without its package.
    pub(crate) name: String,
    pub(crate) docs: Option<String>,
    pub(crate) methods: Vec<MethodItem>,
}

#[derive(Debug, Clone)]
pub(crate) struct MethodItem {
    pub(crate) name: String,
    pub(crate) docs: Option<String>,
    /// The request's name with its package.
    pub(crate) input: String,
    /// The response's name with its package.
    pub(crate) output: String,
}

#[derive(Debug, Clone)]
pub(crate) struct MessageItem {
    pub(crate) plan: Arc<MessagePlan>,
    pub(crate) docs: Option<String>,
    pub(crate) field_docs: Vec<Option<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct EnumItem {
    pub(crate) plan: Arc<EnumPlan>,
    pub(crate) docs: Option<String>,
    pub(crate) value_docs: Vec<Option<String>>,
}

impl File {
    /// The name without the file's package.
    pub(crate) fn local<'a>(&self, full_name: &'a str) -> &'a str {
        let rest = full_name.strip_prefix(&self.package).and_then(|rest| rest.strip_prefix('.'));
        rest.unwrap_or(full_name)
    }
}

impl Document {
    /// Several documents as one. Items of one name are one item; if they differ, that is refused.
    pub(crate) fn merge<'a>(
        documents: impl Iterator<Item = &'a Document>,
    ) -> Result<Document, Vec<Refusal>> {
        let mut merged = Document::default();
        let mut refusals = Vec::new();
        // Each document has imported files first. A file that is there already stays where it is,
        // which is before everything that imports it, because WIT packages depend on each other in
        // one direction only.
        for file in documents.flat_map(|document| &document.files) {
            match merged.files.iter_mut().find(|known| known.name == file.name) {
                Some(known) => join(known, file, &mut refusals),
                None => merged.files.push(file.clone()),
            }
        }
        if refusals.is_empty() { Ok(merged) } else { Err(refusals) }
    }
}

fn join(known: &mut File, file: &File, refusals: &mut Vec<Refusal>) {
    let mut differs = |name: &str| {
        refusals.push(Refusal {
            position: None,
            path: name.to_owned(),
            reason: format!(
                "two services have different things of this name in {}; give one of them another \
                 package",
                file.name
            ),
        });
    };
    for item in &file.services {
        match known.services.iter().find(|other| other.name == item.name) {
            Some(other) if descriptor::service(other) == descriptor::service(item) => {}
            Some(_) => differs(&item.name),
            None => known.services.push(item.clone()),
        }
    }
    for item in &file.messages {
        let same = |other: &&MessageItem| other.plan.full_name == item.plan.full_name;
        match known.messages.iter().find(same) {
            Some(other) if descriptor::message(file, other) == descriptor::message(file, item) => {}
            Some(_) => differs(&item.plan.full_name),
            None => known.messages.push(item.clone()),
        }
    }
    for item in &file.enums {
        let same = |other: &&EnumItem| other.plan.full_name == item.plan.full_name;
        match known.enums.iter().find(same) {
            Some(other)
                if descriptor::enumeration(file, other) == descriptor::enumeration(file, item) => {}
            Some(_) => differs(&item.plan.full_name),
            None => known.enums.push(item.clone()),
        }
    }
}
