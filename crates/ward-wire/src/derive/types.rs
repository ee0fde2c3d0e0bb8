//! How WIT's types map to protobuf's. [`Deriver::field`] is for places that a field has all to
//! itself, where lists and options are labels; [`Deriver::nested`] is for places inside of those,
//! where they would need messages of their own.

use std::sync::Arc;

use wit_parser::{Handle, PackageId, Type, TypeDef, TypeDefKind, TypeId, TypeOwner};

use super::{ContractPosition, Deriver, Member, Origin, Outline};
use crate::contract::definition;
use crate::naming;
use crate::plan::{Kind, Label, MessagePlan, Shape};

impl Deriver<'_> {
    /// The label and kind of a field of this type.
    pub(super) fn field(&mut self, place: &ContractPosition, ty: &Type) -> Option<(Label, Kind)> {
        let resolve = &self.contract.resolve;
        match definition(resolve, ty).1 {
            Some(TypeDefKind::List(element)) if definition(resolve, element).0 != Type::U8 => {
                Some((Label::List, self.nested(place, element, "a list")?))
            }
            Some(TypeDefKind::Option(inner)) => {
                Some((Label::Optional, self.nested(place, inner, "an option")?))
            }
            _ => Some((Label::Single, self.single(place, ty)?)),
        }
    }

    /// The kind of a value inside of a list, an option or a case: lists and flags get messages of
    /// their own there, and options are refused.
    pub(super) fn nested(
        &mut self,
        place: &ContractPosition,
        ty: &Type,
        inside: &str,
    ) -> Option<Kind> {
        let resolve = &self.contract.resolve;
        match definition(resolve, ty).1 {
            Some(TypeDefKind::Option(_)) => {
                let reason = format!(
                    "an option inside of {inside} has no form in protobuf; use a record with an \
                     option as its field"
                );
                self.refuse(place, reason);
                None
            }
            Some(TypeDefKind::List(element)) if definition(resolve, element).0 != Type::U8 => {
                self.made(place, ty, Shape::Wrapper, vec![values(place, ty)]).map(Kind::Message)
            }
            Some(TypeDefKind::Flags(_)) => {
                let Some(Kind::Flags(plan)) = self.single(place, ty) else { return None };
                let name = format!("{}Set", last(&plan.full_name));
                let origin = format!("flags {}", plan.full_name);
                let place = &self.owner_of(place, ty);
                let members = vec![values(place, ty)];
                self.unnamed(place, name, origin, Shape::Wrapper, members).map(Kind::Message)
            }
            _ => self.single(place, ty),
        }
    }

    /// The kind of a value that is neither a list nor an option.
    fn single(&mut self, place: &ContractPosition, ty: &Type) -> Option<Kind> {
        let (ty, kind) = definition(&self.contract.resolve, ty);
        Some(match ty {
            Type::Bool => Kind::Bool,
            Type::U8 => Kind::U8,
            Type::U16 => Kind::U16,
            Type::U32 => Kind::U32,
            Type::U64 => Kind::U64,
            Type::S8 => Kind::S8,
            Type::S16 => Kind::S16,
            Type::S32 => Kind::S32,
            Type::S64 => Kind::S64,
            Type::F32 => Kind::F32,
            Type::F64 => Kind::F64,
            Type::Char => Kind::Char,
            Type::String => Kind::String,
            Type::ErrorContext => return self.has_no_form(place, "an error-context"),
            Type::Id(id) => match kind {
                Some(TypeDefKind::List(_)) => Kind::Bytes,
                Some(TypeDefKind::Resource) => return self.has_no_form(place, "a resource"),
                Some(TypeDefKind::Handle(Handle::Own(_) | Handle::Borrow(_))) => {
                    return self.has_no_form(place, "a handle of a resource");
                }
                Some(TypeDefKind::Stream(_)) => return self.has_no_form(place, "a stream"),
                Some(TypeDefKind::Future(_)) => return self.has_no_form(place, "a future"),
                Some(TypeDefKind::Map(..)) => return self.has_no_form(place, "a map"),
                Some(TypeDefKind::FixedLengthList(..)) => {
                    return self.has_no_form(place, "a list of a fixed length");
                }
                _ => return self.composite(place, id),
            },
        })
    }

    /// The message of a type that is known to be a record.
    pub(super) fn record_message(
        &mut self,
        place: &ContractPosition,
        ty: &Type,
    ) -> Option<Arc<MessagePlan>> {
        match self.single(place, ty) {
            Some(Kind::Message(plan)) => Some(plan),
            _ => None,
        }
    }

    fn has_no_form(&mut self, place: &ContractPosition, what: &str) -> Option<Kind> {
        self.refuse(place, format!("{what} has no form in protobuf"));
        None
    }

    /// The message or enum of a record, variant, enum, flags, tuple or result.
    fn composite(&mut self, place: &ContractPosition, id: TypeId) -> Option<Kind> {
        if self.ambient.contains_key(&id) {
            let reason = "it is supplied by the trigger, so it may be a parameter, but not inside \
                          of one or of a result";
            self.refuse(place, reason);
            return None;
        }
        if let Some(known) = self.types.get(&id) {
            return known.clone();
        }
        let ty = self.contract.resolve.types.get(id)?;
        let Some(name) = ty.name.clone() else {
            let (shape, members) = self.members(place, ty)?;
            return self.made(place, &Type::Id(id), shape, members).map(Kind::Message);
        };
        let here = self.place_of(place, ty, &name);
        let kind = self.named(&here, id, ty, &name);
        self.types.insert(id, kind.clone());
        kind
    }

    fn named(
        &mut self,
        place: &ContractPosition,
        id: TypeId,
        ty: &TypeDef,
        name: &str,
    ) -> Option<Kind> {
        let docs = ty.docs.contents.clone();
        match &ty.kind {
            TypeDefKind::Enum(cases) => {
                let cases = cases.cases.iter();
                let cases = cases.map(|case| (case.name.as_str(), case.docs.contents.clone()));
                self.enumeration(place, id, name, docs, cases.collect()).map(Kind::Enum)
            }
            TypeDefKind::Flags(flags) => {
                let flags = flags.flags.iter();
                let flags = flags.map(|flag| (flag.name.as_str(), flag.docs.contents.clone()));
                self.enumeration(place, id, name, docs, flags.collect()).map(Kind::Flags)
            }
            _ => {
                let (shape, members) = self.members(place, ty)?;
                let (name, origin) = (naming::upper_camel(name), Origin::Named(id));
                let outline = Outline { name, origin, docs, shape, members };
                self.message(place, outline).map(Kind::Message)
            }
        }
    }

    fn members(&mut self, place: &ContractPosition, ty: &TypeDef) -> Option<(Shape, Vec<Member>)> {
        let member = |wit: &str, docs: Option<String>, span, ty| Member {
            wit: wit.to_owned(),
            proto: naming::lower_snake(wit),
            docs,
            span,
            ty,
        };
        Some(match &ty.kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter();
                let fields =
                    fields.map(|f| member(&f.name, f.docs.contents.clone(), f.span, Some(f.ty)));
                (Shape::Record, fields.collect())
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter();
                let cases = cases.map(|c| member(&c.name, c.docs.contents.clone(), c.span, c.ty));
                (Shape::Variant, cases.collect())
            }
            TypeDefKind::Tuple(tuple) => {
                let types = tuple.types.iter().enumerate();
                let types = types
                    .map(|(index, ty)| member(&format!("f{index}"), None, place.span, Some(*ty)));
                (Shape::Tuple, types.collect())
            }
            TypeDefKind::Result(result) => {
                let arms = [("ok", result.ok), ("err", result.err)];
                let arms = arms.into_iter().map(|(name, ty)| member(name, None, place.span, ty));
                (Shape::Result, arms.collect())
            }
            other => {
                let kind = format!("a {}", other.as_str());
                self.has_no_form(place, &kind);
                return None;
            }
        })
    }

    /// The message of a type that has no name, in the file that it is used in.
    fn made(
        &mut self,
        place: &ContractPosition,
        ty: &Type,
        shape: Shape,
        members: Vec<Member>,
    ) -> Option<Arc<MessagePlan>> {
        let (Some(name), Some(origin)) = (self.made_name(ty), self.made_origin(ty)) else {
            self.refuse(place, "its name would be too long; give its parts names");
            return None;
        };
        self.unnamed(place, name, origin, shape, members)
    }

    fn unnamed(
        &mut self,
        place: &ContractPosition,
        name: String,
        origin: String,
        shape: Shape,
        members: Vec<Member>,
    ) -> Option<Arc<MessagePlan>> {
        let full_name = self.qualify(place, &name);
        let origin = Origin::Unnamed(origin);
        if self.taken.get(&full_name) == Some(&origin)
            && let Some(known) = self.made.get(&full_name)
        {
            return known.clone();
        }
        let outline = Outline { name, origin, docs: None, shape, members };
        let plan = self.message(place, outline);
        self.made.insert(full_name, plan.clone());
        plan
    }

    /// Where a type with a name is declared: that is its path, its position and its file.
    fn place_of(&self, place: &ContractPosition, ty: &TypeDef, name: &str) -> ContractPosition {
        let resolve = &self.contract.resolve;
        let (path, package) = match ty.owner {
            TypeOwner::Interface(id) => {
                let path = format!("{}.{name}", self.contract.path(id));
                (path, resolve.interfaces.get(id).and_then(|interface| interface.package))
            }
            TypeOwner::World(id) => {
                (name.to_owned(), resolve.worlds.get(id).and_then(|world| world.package))
            }
            TypeOwner::None => (place.path.clone(), None),
        };
        let package: PackageId = package.unwrap_or(place.package);
        let span = if ty.span.is_known() { ty.span } else { place.span };
        ContractPosition { span, path, package, depth: place.depth }
    }

    /// The same place in the file of the package that declares a type.
    fn owner_of(&self, place: &ContractPosition, ty: &Type) -> ContractPosition {
        let Type::Id(id) = definition(&self.contract.resolve, ty).0 else { return place.clone() };
        let declared = self.contract.resolve.types.get(id);
        let owner = declared.map(|declared| self.place_of(place, declared, "").package);
        ContractPosition { package: owner.unwrap_or(place.package), ..place.clone() }
    }
}

/// The only field of a message that stands for a list or for flags.
fn values(place: &ContractPosition, ty: &Type) -> Member {
    let proto = "values".to_owned();
    Member { wit: String::new(), proto, docs: None, span: place.span, ty: Some(*ty) }
}

/// A name without its package.
fn last(full_name: &str) -> &str {
    full_name.rsplit('.').next().unwrap_or(full_name)
}
