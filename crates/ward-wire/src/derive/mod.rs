//! WIT → documents and plans. A [`Deriver`] goes through the types that an interface's functions
//! use, once each, and makes of every one a message or an enum, or a refusal; it stops at none.
//! How types map is in `types`, what functions become is in `functions`, what types without a name
//! are called is in `names`.

mod functions;
mod names;
mod types;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use wit_parser::{InterfaceId, PackageId, Span, Type, TypeId, TypeOwner};

use crate::document::{Document, EnumItem, File, MessageItem, ServiceItem};
use crate::limits::{DEFAULT_VALUES_MAX, DEPTH_MAX};
use crate::naming;
use crate::plan::{EnumPlan, FieldPlan, Kind, Label, MessagePlan, Shape};
use crate::{Contract, Naming, Refusal};

/// What is being derived.
pub(crate) struct Deriver<'a> {
    contract: &'a Contract,
    naming: &'a Naming,
    /// The package that [`Naming::package`] is about.
    main: PackageId,
    /// Types that the trigger supplies, by their indices in [`Naming::ambient`].
    ambient: HashMap<TypeId, usize>,
    files: Vec<Draft>,
    /// What every name in a package stands for.
    taken: HashMap<String, Origin>,
    /// What types with a name have become; `None` if they were refused.
    types: HashMap<TypeId, Option<Kind>>,
    /// What types without a name have become, by the names that they were given.
    made: HashMap<String, Option<Arc<MessagePlan>>>,
    refusals: Vec<Refusal>,
}

/// What a protobuf name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// A type of this name in WIT.
    Named(TypeId),
    /// A type without a name, in WIT's words.
    Unnamed(String),
    /// A service, a request, a response or an enum's value.
    Made(String),
}

/// A file that is being filled. Messages and enums keep their places free while what they hold is
/// derived, so that they come before it in the text.
struct Draft {
    source: PackageId,
    package: String,
    services: Vec<ServiceItem>,
    messages: Vec<Option<MessageItem>>,
    enums: Vec<EnumItem>,
}

/// Where in the contract something is, and into which package's file it goes.
#[derive(Clone)]
struct ContractPosition {
    span: Span,
    path: String,
    package: PackageId,
    /// How many messages it is in.
    depth: usize,
}

impl ContractPosition {
    fn inside(&self, name: &str, span: Span) -> ContractPosition {
        let path =
            if name.is_empty() { self.path.clone() } else { format!("{}.{name}", self.path) };
        let span = if span.is_known() { span } else { self.span };
        ContractPosition { span, path, ..*self }
    }
}

/// A field before it is derived.
struct Member {
    /// Empty for what WIT has no name for.
    wit: String,
    proto: String,
    docs: Option<String>,
    span: Span,
    /// `None`: a case without a payload.
    ty: Option<Type>,
}

/// A message before it is derived.
struct Outline {
    name: String,
    origin: Origin,
    docs: Option<String>,
    shape: Shape,
    members: Vec<Member>,
}

impl<'a> Deriver<'a> {
    /// Starts with an interface; what is wrong with the names is refused here.
    pub(crate) fn new(
        contract: &'a Contract,
        interface: InterfaceId,
        naming: &'a Naming,
    ) -> Result<Self, Vec<Refusal>> {
        let path = contract.path(interface);
        let found = contract.resolve.interfaces.get(interface);
        let Some(main) = found.and_then(|interface| interface.package) else {
            let reason = "it belongs to no package".to_owned();
            return Err(vec![Refusal { position: None, path, reason }]);
        };
        let mut deriver = Deriver {
            contract,
            naming,
            main,
            ambient: HashMap::new(),
            files: Vec::new(),
            taken: HashMap::new(),
            types: HashMap::new(),
            made: HashMap::new(),
            refusals: Vec::new(),
        };
        let place = ContractPosition { span: Span::default(), path, package: main, depth: 0 };
        deriver.check_names(&place);
        deriver.find_ambient();
        Ok(deriver)
    }

    /// What was derived, unless anything was refused.
    pub(crate) fn finish(self) -> Result<Document, Vec<Refusal>> {
        if !self.refusals.is_empty() {
            return Err(self.refusals);
        }
        let resolve = &self.contract.resolve;
        // Dependencies first, as they are imported.
        let order = resolve.topological_packages();
        let mut drafts = self.files;
        drafts.sort_by_key(|draft| order.iter().position(|id| *id == draft.source));
        let files = drafts.into_iter().filter_map(|draft| {
            let source = resolve.packages.get(draft.source)?;
            Some(File {
                name: naming::file(&source.name, &draft.package),
                package: draft.package,
                source: source.name.to_string(),
                docs: source.docs.contents.clone(),
                services: draft.services,
                messages: draft.messages.into_iter().flatten().collect(),
                enums: draft.enums,
            })
        });
        Ok(Document { files: files.collect() })
    }

    fn check_names(&mut self, place: &ContractPosition) {
        if let Some(package) = self.naming.package.as_deref()
            && !naming::is_package(package)
        {
            self.refuse(place, format!("`{package}` is no name for a protobuf package"));
        }
        if let Some(service) = self.naming.service.as_deref()
            && !naming::is_identifier(service)
        {
            self.refuse(place, format!("`{service}` is no name for a protobuf service"));
        }
    }

    fn find_ambient(&mut self) {
        for (_, interface) in &self.contract.resolve.interfaces {
            let package = interface.package.and_then(|id| self.contract.resolve.packages.get(id));
            let (Some(package), Some(name)) = (package, &interface.name) else { continue };
            let unversioned = crate::contract::unversioned(&package.name, name);
            let versioned = package.name.interface_id(name);
            for (ty, id) in &interface.types {
                let names = [format!("{unversioned}.{ty}"), format!("{versioned}.{ty}")];
                let index = self.naming.ambient.iter().position(|name| names.contains(name));
                self.ambient.extend(index.map(|index| (*id, index)));
            }
        }
    }

    fn refuse(&mut self, place: &ContractPosition, reason: impl Into<String>) {
        let position = self.contract.position(place.span);
        let refusal = Refusal { position, path: place.path.clone(), reason: reason.into() };
        if !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    /// The package's file, made if it is the first that goes into it.
    fn file(&mut self, package: PackageId) -> (usize, String) {
        if let Some(at) = self.files.iter().position(|draft| draft.source == package) {
            let name = self.files.get(at).map(|draft| draft.package.clone());
            return (at, name.unwrap_or_default());
        }
        let derived = || {
            let package = self.contract.resolve.packages.get(package);
            package.map(|package| naming::package(&package.name)).unwrap_or_default()
        };
        let name = match &self.naming.package {
            Some(name) if package == self.main => name.clone(),
            _ => derived(),
        };
        self.files.push(Draft {
            source: package,
            package: name.clone(),
            services: Vec::new(),
            messages: Vec::new(),
            enums: Vec::new(),
        });
        (self.files.len() - 1, name)
    }

    /// A name with the package of `place`.
    fn qualify(&mut self, place: &ContractPosition, name: &str) -> String {
        let (_, package) = self.file(place.package);
        if package.is_empty() { name.to_owned() } else { format!("{package}.{name}") }
    }

    /// Takes a name for one thing; false if another has it.
    fn claim(&mut self, place: &ContractPosition, full_name: &str, origin: Origin) -> bool {
        let other = match self.taken.entry(full_name.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(origin);
                return true;
            }
            Entry::Occupied(taken) => taken.get().clone(),
        };
        if other == origin {
            return true;
        }
        let other = self.describe_origin(&other);
        self.refuse(place, format!("`{full_name}` is already the protobuf name of {other}"));
        false
    }

    fn describe_origin(&self, origin: &Origin) -> String {
        match origin {
            Origin::Unnamed(text) => format!("`{text}`"),
            Origin::Made(text) => text.clone(),
            Origin::Named(id) => {
                let ty = self.contract.resolve.types.get(*id);
                let name = ty.and_then(|ty| ty.name.as_deref()).unwrap_or_default();
                match ty.map(|ty| ty.owner) {
                    Some(TypeOwner::Interface(id)) => {
                        format!("`{}.{name}`", self.contract.path(id))
                    }
                    _ => format!("`{name}`"),
                }
            }
        }
    }

    /// Derives a message and what it holds.
    fn message(&mut self, place: &ContractPosition, outline: Outline) -> Option<Arc<MessagePlan>> {
        let Outline { name, origin, docs, shape, members } = outline;
        let full_name = self.qualify(place, &name);
        if !self.claim(place, &full_name, origin) {
            return None;
        }
        let place = &ContractPosition { depth: place.depth + 1, ..place.clone() };
        if place.depth > DEPTH_MAX {
            self.refuse(place, format!("it is nested in more than {DEPTH_MAX} levels"));
            return None;
        }
        let (file, _) = self.file(place.package);
        let item = self.files.get_mut(file).map(|draft| {
            draft.messages.push(None);
            draft.messages.len() - 1
        });
        let mut fields = Vec::new();
        for (number, member) in (1..).zip(&members) {
            fields.push(self.member(place, shape, number, member));
        }
        self.check_json_names(place, &members);
        let fields: Vec<FieldPlan> = fields.into_iter().collect::<Option<_>>()?;
        let plan = Arc::new(MessagePlan::new(full_name, shape, fields));
        if plan.depth > DEPTH_MAX {
            self.refuse(place, format!("it is nested in more than {DEPTH_MAX} levels"));
            return None;
        }
        if plan.default_values > DEFAULT_VALUES_MAX {
            self.refuse(place, format!("it has more than {DEFAULT_VALUES_MAX} values"));
            return None;
        }
        let field_docs = members.into_iter().map(|member| member.docs).collect();
        let slot = self.files.get_mut(file).zip(item);
        if let Some(slot) = slot.and_then(|(draft, at)| draft.messages.get_mut(at)) {
            *slot = Some(MessageItem { plan: Arc::clone(&plan), docs, field_docs });
        }
        Some(plan)
    }

    fn member(
        &mut self,
        place: &ContractPosition,
        shape: Shape,
        number: u32,
        member: &Member,
    ) -> Option<FieldPlan> {
        let place = place.inside(&member.wit, member.span);
        let (label, kind) = match (shape, &member.ty) {
            (Shape::Variant | Shape::Result, None) => (Label::Single, Kind::Empty),
            (Shape::Variant | Shape::Result, Some(ty)) => {
                (Label::Single, self.nested(&place, ty, "a case")?)
            }
            (_, Some(ty)) => self.field(&place, ty)?,
            (_, None) => return None,
        };
        let proto = member.proto.clone();
        let json = naming::json_name(&proto);
        Some(FieldPlan { proto, json, number, label, kind })
    }

    fn check_json_names(&mut self, place: &ContractPosition, members: &[Member]) {
        let mut taken = HashMap::new();
        for member in members {
            if let Some(other) = taken.insert(naming::json_name(&member.proto), &member.wit) {
                let reason = format!("in JSON its name would be that of `{other}`");
                self.refuse(&place.inside(&member.wit, member.span), reason);
            }
        }
    }

    /// Derives an enum, also that of flags, from the names and comments of its cases.
    fn enumeration(
        &mut self,
        place: &ContractPosition,
        id: TypeId,
        name: &str,
        docs: Option<String>,
        cases: Vec<(&str, Option<String>)>,
    ) -> Option<Arc<EnumPlan>> {
        let full_name = self.qualify(place, &naming::upper_camel(name));
        if !self.claim(place, &full_name, Origin::Named(id)) {
            return None;
        }
        // Protobuf's enum values are named beside the enum, not inside.
        let value =
            |case: &str| format!("{}_{}", naming::upper_snake(name), naming::upper_snake(case));
        let unspecified = value("unspecified");
        let values: Vec<String> = cases.iter().map(|(case, _)| value(case)).collect();
        let zero = Origin::Made(format!("zero in `{}`", place.path));
        let full_value = self.qualify(place, &unspecified);
        self.claim(place, &full_value, zero);
        let mut taken = HashMap::new();
        for ((case, _), value) in cases.iter().zip(&values) {
            let place = place.inside(case, Span::default());
            let full_value = self.qualify(&place, value);
            let origin = Origin::Made(format!("the case `{}`", place.path));
            self.claim(&place, &full_value, origin);
            // protoc compares them as they are in languages that have enums of their own.
            if let Some(other) = taken.insert(naming::upper_camel(case), case) {
                self.refuse(&place, format!("protobuf takes its name for that of `{other}`"));
            }
        }
        let plan = Arc::new(EnumPlan { full_name, unspecified, values });
        let value_docs = cases.into_iter().map(|(_, docs)| docs).collect();
        let (file, _) = self.file(place.package);
        if let Some(draft) = self.files.get_mut(file) {
            draft.enums.push(EnumItem { plan: Arc::clone(&plan), docs, value_docs });
        }
        Some(plan)
    }
}
