//! Decides what becomes of each dependency of a component, from the types of its imports alone:
//! nothing is compiled for it. An interface of values between two components of the application is
//! a live link; whatever else is composed, and the reason is kept for display.

use wac_graph::types::{DefinedType, InterfaceId, ItemKind, Package, Type, Types, ValueType};
use ward_manifest::{Component as Entry, Dependency};

use super::{Link, LinkKind};

/// What becomes of the dependencies of one component.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// Imports that the host satisfies by calls into other components.
    pub(crate) links: Vec<LiveLink>,
    /// Dependencies that become a part of the component.
    pub(crate) composed: Vec<Composed>,
}

impl Plan {
    /// What people are shown of it, in order of the imports' names.
    pub(crate) fn shown(&self) -> Vec<Link> {
        let live = self.links.iter().map(|link| Link {
            import: link.import.clone(),
            target: link.component.clone(),
            kind: LinkKind::Live,
        });
        let composed = self.composed.iter().flat_map(|composed| {
            composed.imports.iter().map(|(import, _)| Link {
                import: import.clone(),
                target: composed.dependency.name.clone(),
                kind: LinkKind::Composed { reason: composed.reason.clone() },
            })
        });
        let mut shown: Vec<Link> = live.chain(composed).collect();
        shown.sort_by(|a, b| a.import.cmp(&b.import));
        shown
    }
}

/// One import that is a live link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveLink {
    /// The import's name, an interface with its version.
    pub(crate) import: String,
    /// The component that is called.
    pub(crate) component: String,
    /// The interface which that component exports for it.
    pub(crate) export: String,
}

/// One dependency that is composed.
#[derive(Debug, Clone)]
pub(crate) struct Composed {
    /// What is composed in.
    pub(crate) dependency: Dependency,
    /// The imports it satisfies, each with the export that does.
    pub(crate) imports: Vec<(String, String)>,
    /// Why it is no live link.
    pub(crate) reason: String,
}

/// Looks at the imports of `bytes`, the component `entry`. The error is a sentence about it.
pub(crate) fn plan(entry: &Entry, bytes: &[u8]) -> Result<Plan, String> {
    if entry.dependencies.is_empty() {
        return Ok(Plan::default());
    }
    let mut types = Types::default();
    let package = Package::from_bytes("dependent", None, bytes.to_vec(), &mut types)
        .map_err(|error| format!("is not a valid component: {error:#}"))?;
    let imports = &types[package.ty()].imports;
    let mut plan = Plan::default();
    for (name, dependency) in &entry.dependencies {
        let matching: Vec<(&String, &ItemKind)> =
            imports.iter().filter(|(import, kind)| is_meant(name, import, kind, &types)).collect();
        if matching.is_empty() {
            return Err(format!("has no import that its dependency `{name}` could satisfy"));
        }
        let pairs = matching.iter().map(|(import, _)| {
            let export = dependency.export.as_ref().unwrap_or(import);
            ((*import).clone(), export.clone())
        });
        let obstacle = matching.iter().find_map(|(import, kind)| obstacle(import, kind, &types));
        match (&dependency.component, obstacle) {
            (Some(component), None) => plan.links.extend(pairs.map(|(import, export)| {
                let component = component.clone();
                LiveLink { import, component, export }
            })),
            (component, obstacle) => plan.composed.push(Composed {
                dependency: dependency.clone(),
                imports: pairs.collect(),
                reason: match component {
                    None => "its file is no component of the application".to_owned(),
                    Some(_) => obstacle.unwrap_or_default(),
                },
            }),
        }
    }
    Ok(plan)
}

/// Whether the name on the left of a dependency means this import, as Spin decides it: all
/// interfaces of a package, or one; a version, where it is given, has to be the same.
fn is_meant(name: &str, import: &str, kind: &ItemKind, types: &Types) -> bool {
    if name == import {
        return true;
    }
    let (named, wanted) = split(name, '@');
    let (imported, version) = split(import, '@');
    let (package, interface) = split(imported, '/');
    let (named_package, named_interface) = split(named, '/');
    let fits = named.contains(':')
        && named_package == package
        && named_interface.is_none_or(|named| interface == Some(named))
        && wanted.is_none_or(|wanted| version == Some(wanted));
    // An interface of types alone asks nothing of anybody, so a package's name does not mean it.
    fits && (named_interface.is_some() || has_functions(kind, types))
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn has_functions(kind: &ItemKind, types: &Types) -> bool {
    let ItemKind::Instance(interface) = kind else { return true };
    types[*interface].exports.values().any(|item| !matches!(item, ItemKind::Type(Type::Value(_))))
}

/// What keeps an import from being a live link.
fn obstacle(import: &str, kind: &ItemKind, types: &Types) -> Option<String> {
    match kind {
        ItemKind::Instance(interface) => obstacle_of_interface(*interface, types),
        _ => Some(format!("`{import}` is no interface")),
    }
}

fn obstacle_of_interface(interface: InterfaceId, types: &Types) -> Option<String> {
    let exports = &types[interface].exports;
    exports.iter().find_map(|(name, item)| match item {
        ItemKind::Type(Type::Resource(_)) => Some(format!("it has the resource `{name}`")),
        ItemKind::Func(function) => {
            let function = &types[*function];
            let mut values = function.params.values().chain(&function.result);
            let what = values.find_map(|ty| bound(*ty, types))?;
            Some(format!("`{name}` passes {what}"))
        }
        _ => None,
    })
}

/// The part of a type whose values are bound to one instance.
fn bound(ty: ValueType, types: &Types) -> Option<&'static str> {
    let of = |ty: &ValueType| bound(*ty, types);
    let maybe = |ty: &Option<ValueType>| ty.as_ref().and_then(of);
    match ty {
        ValueType::Primitive(_) => None,
        ValueType::Borrow(_) | ValueType::Own(_) => Some("a resource"),
        ValueType::Defined(id) => match &types[id] {
            DefinedType::Tuple(items) => items.iter().find_map(of),
            DefinedType::List(ty)
            | DefinedType::FixedSizeList(ty, _)
            | DefinedType::Option(ty)
            | DefinedType::Alias(ty) => of(ty),
            DefinedType::Map(key, value) => of(key).or_else(|| of(value)),
            DefinedType::Result { ok, err } => maybe(ok).or_else(|| maybe(err)),
            DefinedType::Variant(variant) => variant.cases.values().find_map(maybe),
            DefinedType::Record(record) => record.fields.values().find_map(of),
            DefinedType::Flags(_) | DefinedType::Enum(_) => None,
            DefinedType::Stream(_) => Some("a stream"),
            DefinedType::Future(_) => Some("a future"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, import: &str, meant: bool) {
        let mut types = Types::default();
        let interface = wac_graph::types::Interface::default();
        let empty = ItemKind::Instance(types.add_interface(interface));
        let function = ItemKind::Func(types.add_func_type(Default::default()));
        let interface = wac_graph::types::Interface {
            exports: [("f".to_owned(), function)].into_iter().collect(),
            ..Default::default()
        };
        let full = ItemKind::Instance(types.add_interface(interface));
        assert_eq!(is_meant(name, import, &full, &types), meant, "{name} {import}");
        let named = meant && (name.contains('/') || !name.contains(':'));
        assert_eq!(is_meant(name, import, &empty, &types), named, "{name} {import}, types alone");
    }

    #[test]
    fn names_mean_the_imports_that_spin_takes_them_to_mean() {
        check("a:b/c@1.0.0", "a:b/c@1.0.0", true);
        check("a:b/c@1.0.0", "a:b/c@1.0.1", false);
        check("a:b/c@1.0.0", "a:b/c", false);
        check("a:b/c", "a:b/c@1.0.0", true);
        check("a:b/c", "a:b/c", true);
        check("a:b/c", "a:b/d", false);
        check("a:b", "a:b/c@1.0.0", true);
        check("a:b@1.0.0", "a:b/c@1.0.0", true);
        check("a:b@1.0.0", "a:b/c@2.0.0", false);
        check("a:b", "a:bb/c", false);
        check("c", "c", true);
        check("c", "a:b/c", false);
        check("b", "b/c", false);
    }
}
