//! Whether a contract may replace the one that was released: clients of the old one must go on
//! working over the protobuf that is derived from it, and source code that uses it must need no
//! other change than to know of what was added. Start at [`check`].

mod items;
mod text;

use std::fmt;

use wit_parser::{Function, Interface, Package, PackageName, Span, Type, TypeDefKind, TypeId};

use crate::Contract;
use crate::contract::{definition, unversioned};

/// A change that would break someone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incompatibility {
    /// Where in a source file of the current contract, as `file:line:column`, where that is known.
    pub position: Option<String>,
    /// Which item: `shop:orders/items.price.currency`.
    pub item: String,
    /// What changed.
    pub change: String,
    /// What would be right.
    pub remedy: String,
}

impl fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        write!(f, "{}: {}; {}", self.item, self.change, self.remedy)
    }
}

/// What in `current` would break users of `released`. Adding is allowed: record fields and cases
/// at the end, functions, types, interfaces, packages, and a new major version of a package beside
/// the old one. Worlds are not looked at: they are what a component is built against, not what
/// others see of it.
pub fn check(released: &Contract, current: &Contract) -> Vec<Incompatibility> {
    let mut comparison = Comparison { released, current, findings: Vec::new() };
    let mut packages: Vec<&Package> = released.resolve.packages.iter().map(|(_, p)| p).collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    packages.into_iter().for_each(|package| comparison.package(package));
    comparison.findings
}

const KEEP: &str = "keep it; what breaks users belongs into a new major version beside this one";
const NEW_FUNCTION: &str = "keep it as it was and add a function of a new name";
const NEW_TYPE: &str = "keep it as it was and add a type of a new name";

struct Comparison<'a> {
    released: &'a Contract,
    current: &'a Contract,
    findings: Vec<Incompatibility>,
}

impl Comparison<'_> {
    fn find(&mut self, span: Span, item: &str, change: impl Into<String>, remedy: &str) {
        self.findings.push(Incompatibility {
            position: self.current.position(span),
            item: item.to_owned(),
            change: change.into(),
            remedy: remedy.to_owned(),
        });
    }

    fn package(&mut self, old: &Package) {
        let current = self.current;
        let mut packages = current.resolve.packages.iter().map(|(_, package)| package);
        let Some(new) = packages.find(|new| same_track(&old.name, &new.name)) else {
            return self.find(Span::default(), &old.name.to_string(), "was removed", KEEP);
        };
        if new.name.version < old.name.version {
            let change = format!("its version went back, to {}", new.name);
            let remedy = "a version is released once; go on from there";
            self.find(Span::default(), &old.name.to_string(), change, remedy);
        }
        for (name, id) in &old.interfaces {
            let item = unversioned(&old.name, name);
            let old = self.released.resolve.interfaces.get(*id);
            let new = new.interfaces.get(name).and_then(|id| current.resolve.interfaces.get(*id));
            match (old, new) {
                (Some(old), Some(new)) => self.interface(&item, old, new),
                _ => self.find(Span::default(), &item, "was removed", KEEP),
            }
        }
    }

    fn interface(&mut self, item: &str, old: &Interface, new: &Interface) {
        for (name, old) in &old.types {
            let item = format!("{item}.{name}");
            match new.types.get(name) {
                Some(new) => self.ty(&item, *old, *new),
                None => self.find(new.span, &item, "was removed", KEEP),
            }
        }
        for (name, old) in &old.functions {
            let item = format!("{item}.{name}");
            match new.functions.get(name) {
                Some(new) => self.function(&item, old, new),
                None => self.find(new.span, &item, "was removed", KEEP),
            }
        }
    }

    fn function(&mut self, item: &str, old: &Function, new: &Function) {
        let (was, is) = (&self.released.resolve, &self.current.resolve);
        let mut changes = Vec::new();
        if old.kind.is_async() != new.kind.is_async() {
            let word = |is_async| if is_async { "async" } else { "not async" };
            let (was, is) = (word(old.kind.is_async()), word(new.kind.is_async()));
            changes.push(format!("was {was} and is {is}"));
        }
        let (old_parameters, new_parameters) =
            (text::parameters(was, old), text::parameters(is, new));
        if old_parameters != new_parameters {
            changes.push(format!("its parameters were {old_parameters} and are {new_parameters}"));
        }
        let (old_result, new_result) =
            (text::optional(was, old.result.as_ref()), text::optional(is, new.result.as_ref()));
        if old_result != new_result {
            changes.push(format!("its result was {old_result} and is {new_result}"));
        }
        changes.into_iter().for_each(|change| self.find(new.span, item, change, NEW_FUNCTION));
    }

    fn ty(&mut self, item: &str, old: TypeId, new: TypeId) {
        let span = self.current.resolve.types.get(new).map(|ty| ty.span).unwrap_or_default();
        let (old, new) = (Type::Id(old), Type::Id(new));
        let (was, is) = (&self.released.resolve, &self.current.resolve);
        let ((old_type, old_kind), (new_type, new_kind)) =
            (definition(was, &old), definition(is, &new));
        // A type that is declared elsewhere is compared where it is declared.
        let (old_text, new_text) = (text::ty(was, &old_type), text::ty(is, &new_type));
        let same_kind = old_kind.map(TypeDefKind::as_str) == new_kind.map(TypeDefKind::as_str);
        if old_text != new_text || !same_kind {
            let kind = |kind: Option<&TypeDefKind>, text: String| match kind {
                Some(kind) if !text.contains('<') => format!("the {} {text}", kind.as_str()),
                _ => text,
            };
            let (was, is) = (kind(old_kind, old_text), kind(new_kind, new_text));
            return self.find(span, item, format!("was {was} and is {is}"), NEW_TYPE);
        }
        if let (Some(old), Some(new)) = (old_kind, new_kind) {
            self.items(item, span, &items::of(was, old), &items::of(is, new));
        }
    }

    fn items(&mut self, item: &str, span: Span, old: &items::Items, new: &items::Items) {
        for change in items::compare(old, new) {
            let item = format!("{item}.{}", change.name);
            let span = change.span.unwrap_or(span);
            self.find(span, &item, change.what, &change.remedy);
        }
    }
}

/// Whether one version of a package may stand in for the other.
fn same_track(a: &PackageName, b: &PackageName) -> bool {
    let track = |name: &PackageName| name.version.as_ref().map(PackageName::version_compat_track);
    a.namespace == b.namespace && a.name == b.name && track(a) == track(b)
}
