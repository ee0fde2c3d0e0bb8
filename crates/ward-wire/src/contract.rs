//! A resolved set of WIT packages, from wherever they are: a component's binary, directories or
//! text. Reading and finding only; what becomes of the packages is decided elsewhere.

use std::path::{Path, PathBuf};

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{
    InterfaceId, PackageName, Resolve, SourceMap, Span, Type, TypeDefKind, TypeId,
    UnresolvedPackageGroup, WorldKey,
};

use crate::Refusal;

/// A resolved set of WIT packages.
#[derive(Debug, Clone)]
pub struct Contract {
    pub(crate) resolve: Resolve,
    exports: Vec<InterfaceId>,
}

/// WIT that cannot be read, with the position where that is known. Several findings are several
/// paragraphs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ContractError(String);

impl Contract {
    /// What a component imports and exports, read from its binary. Doc comments and positions are
    /// not in there.
    pub fn from_component(wasm: &[u8]) -> Result<Contract, ContractError> {
        let decoded = decode(wasm).map_err(|error| ContractError(format!("{error:#}")))?;
        match decoded {
            DecodedWasm::WitPackage(resolve, _) => Ok(Contract { resolve, exports: Vec::new() }),
            DecodedWasm::Component(resolve, world) => {
                let world = resolve.worlds.get(world);
                let keys = world.into_iter().flat_map(|world| world.exports.keys());
                let interface = |key: &WorldKey| match key {
                    WorldKey::Interface(id) => Some(*id),
                    WorldKey::Name(_) => None,
                };
                let exports = keys.filter_map(interface).collect();
                Ok(Contract { resolve, exports })
            }
        }
    }

    /// The packages in these directories, one each, in any order: every `*.wit` file directly in
    /// a directory belongs to its package.
    pub fn from_directories(directories: &[PathBuf]) -> Result<Contract, ContractError> {
        from_maps(directories.iter().map(|directory| read(directory)))
    }

    /// The packages in these texts, one each, in any order: the name it has in messages, and the
    /// text.
    pub fn from_sources(sources: &[(&str, &str)]) -> Result<Contract, ContractError> {
        from_maps(sources.iter().map(|(name, text)| {
            let mut map = SourceMap::new();
            map.push_str(name, *text);
            Ok(map)
        }))
    }

    /// The interfaces of all packages by their full names, such as `shop:orders/orders@1.0.0`;
    /// packages in order of their names, interfaces in order of declaration.
    pub fn interfaces(&self) -> Vec<String> {
        let mut packages: Vec<_> =
            self.resolve.packages.iter().map(|(_, package)| package).collect();
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        let interfaces = packages.into_iter().flat_map(|package| {
            package.interfaces.keys().map(|name| package.name.interface_id(name))
        });
        interfaces.collect()
    }

    /// The interfaces that the component exports, by their full names, in order; empty for
    /// contracts that were read from text.
    pub fn exports(&self) -> Vec<String> {
        self.exports.iter().filter_map(|id| self.resolve.id_of(*id)).collect()
    }

    /// The functions of an interface by their names, in order of declaration; none if there is no
    /// such interface.
    pub fn functions(&self, interface: &str) -> Vec<String> {
        let found = self.find(interface).ok().and_then(|id| self.resolve.interfaces.get(id));
        found.map(|found| found.functions.keys().cloned().collect()).unwrap_or_default()
    }

    /// The records of an interface by their names, in order of declaration; none if there is no
    /// such interface.
    pub fn records(&self, interface: &str) -> Vec<String> {
        let Some(found) = self.find(interface).ok().and_then(|id| self.resolve.interfaces.get(id))
        else {
            return Vec::new();
        };
        let record = |(_, id): &(&String, &TypeId)| {
            self.resolve.types.get(**id).is_some_and(|ty| matches!(ty.kind, TypeDefKind::Record(_)))
        };
        found.types.iter().filter(record).map(|(name, _)| name.clone()).collect()
    }

    /// The names of a record's fields, in order; `None` if there is no such record.
    pub fn fields(&self, interface: &str, record: &str) -> Option<Vec<String>> {
        let interface = self.resolve.interfaces.get(self.find(interface).ok()?)?;
        let found = self.resolve.types.get(*interface.types.get(record)?)?;
        let TypeDefKind::Record(record) = &found.kind else { return None };
        Some(record.fields.iter().map(|field| field.name.clone()).collect())
    }

    /// The interface of this name; without a version, the only one there is.
    pub(crate) fn find(&self, name: &str) -> Result<InterfaceId, Refusal> {
        let (bare, version) = match name.split_once('@') {
            Some((bare, version)) => (bare, Some(version)),
            None => (name, None),
        };
        let mut found = Vec::new();
        for (_, package) in &self.resolve.packages {
            let is = |version: &str| {
                package.name.version.as_ref().is_some_and(|v| v.to_string() == version)
            };
            if version.is_none_or(is) {
                let named = package
                    .interfaces
                    .iter()
                    .filter(|(interface, _)| bare == unversioned(&package.name, interface));
                found.extend(named.map(|(_, id)| *id));
            }
        }
        match found.as_slice() {
            [id] => Ok(*id),
            [] => Err(self.missing(name)),
            _ => Err(Refusal {
                position: None,
                path: name.to_owned(),
                reason: "there are several versions; name one".to_owned(),
            }),
        }
    }

    fn missing(&self, name: &str) -> Refusal {
        let interfaces = self.interfaces();
        let reason = if interfaces.is_empty() {
            "there is no such interface, nor any other".to_owned()
        } else {
            format!("there is no such interface; there are {}", interfaces.join(", "))
        };
        Refusal { position: None, path: name.to_owned(), reason }
    }

    /// `file:line:column`, where that is known.
    pub(crate) fn position(&self, span: Span) -> Option<String> {
        self.resolve.source_map.resolve_span(span)?;
        Some(self.resolve.render_location(span))
    }

    /// `shop:orders/orders`, for messages.
    pub(crate) fn path(&self, interface: InterfaceId) -> String {
        let Some(found) = self.resolve.interfaces.get(interface) else { return String::new() };
        let name = found.name.as_deref().unwrap_or_default();
        match found.package.and_then(|package| self.resolve.packages.get(package)) {
            Some(package) => unversioned(&package.name, name),
            None => name.to_owned(),
        }
    }
}

/// `shop:orders/orders`.
pub(crate) fn unversioned(package: &PackageName, interface: &str) -> String {
    format!("{}:{}/{interface}", package.namespace, package.name)
}

/// What a type is once aliases are followed, and how it is defined unless it is primitive.
pub(crate) fn definition<'a>(resolve: &'a Resolve, ty: &Type) -> (Type, Option<&'a TypeDefKind>) {
    let mut ty = *ty;
    loop {
        let Type::Id(id) = ty else { return (ty, None) };
        match resolve.types.get(id).map(|definition| &definition.kind) {
            Some(TypeDefKind::Type(alias)) => ty = *alias,
            kind => return (ty, kind),
        }
    }
}

/// The `*.wit` files directly in a directory, in order of their names.
fn read(directory: &Path) -> Result<SourceMap, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut files = Vec::new();
    for entry in directory.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(format!("{}: there is no .wit file in it", directory.display()));
    }
    files.sort();
    let mut map = SourceMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file);
        map.push(&file, text.map_err(|error| format!("{}: {error}", file.display()))?);
    }
    Ok(map)
}

/// Parses every map and resolves them together. What cannot be parsed is reported for all of them.
fn from_maps(
    maps: impl Iterator<Item = Result<SourceMap, String>>,
) -> Result<Contract, ContractError> {
    let mut groups: Vec<UnresolvedPackageGroup> = Vec::new();
    let mut failures = Vec::new();
    for map in maps {
        match map.map(SourceMap::parse) {
            Ok(Ok(group)) => groups.push(group),
            Ok(Err((map, error))) => failures.push(error.render(&map)),
            Err(failure) => failures.push(failure),
        }
    }
    if !failures.is_empty() {
        return Err(ContractError(failures.join("\n\n")));
    }
    let mut resolve = Resolve::new();
    if let Some(main) = groups.pop() {
        let pushed = resolve.push_groups(main, groups);
        pushed.map_err(|error| ContractError(error.render(&resolve.source_map)))?;
    }
    Ok(Contract { resolve, exports: Vec::new() })
}
