//! Types in words, equal for two contracts exactly if users see the same type: aliases followed,
//! types with a name by that name, packages by the part of their version that may break.

use wit_parser::{Function, PackageName, Resolve, Type, TypeDef, TypeDefKind, TypeOwner};

use crate::contract::definition;

/// A type, as WIT writes it.
pub(super) fn ty(resolve: &Resolve, ty: &Type) -> String {
    let (ty, kind) = definition(resolve, ty);
    let id = match ty {
        Type::Id(id) => id,
        Type::Bool => return "bool".to_owned(),
        Type::U8 => return "u8".to_owned(),
        Type::U16 => return "u16".to_owned(),
        Type::U32 => return "u32".to_owned(),
        Type::U64 => return "u64".to_owned(),
        Type::S8 => return "s8".to_owned(),
        Type::S16 => return "s16".to_owned(),
        Type::S32 => return "s32".to_owned(),
        Type::S64 => return "s64".to_owned(),
        Type::F32 => return "f32".to_owned(),
        Type::F64 => return "f64".to_owned(),
        Type::Char => return "char".to_owned(),
        Type::String => return "string".to_owned(),
        Type::ErrorContext => return "error-context".to_owned(),
    };
    let part = |part: &Type| self::ty(resolve, part);
    match kind {
        Some(TypeDefKind::Option(inner)) => format!("option<{}>", part(inner)),
        Some(TypeDefKind::List(element)) => format!("list<{}>", part(element)),
        Some(TypeDefKind::FixedLengthList(element, n)) => format!("list<{}, {n}>", part(element)),
        Some(TypeDefKind::Map(key, value)) => format!("map<{}, {}>", part(key), part(value)),
        Some(TypeDefKind::Tuple(tuple)) => {
            let parts: Vec<String> = tuple.types.iter().map(part).collect();
            format!("tuple<{}>", parts.join(", "))
        }
        Some(TypeDefKind::Result(result)) => {
            let ok = optional(resolve, result.ok.as_ref());
            format!("result<{ok}, {}>", optional(resolve, result.err.as_ref()))
        }
        Some(TypeDefKind::Future(inner)) => {
            format!("future<{}>", optional(resolve, inner.as_ref()))
        }
        Some(TypeDefKind::Stream(inner)) => {
            format!("stream<{}>", optional(resolve, inner.as_ref()))
        }
        Some(TypeDefKind::Handle(wit_parser::Handle::Own(id))) => part(&Type::Id(*id)),
        Some(TypeDefKind::Handle(wit_parser::Handle::Borrow(id))) => {
            format!("borrow<{}>", part(&Type::Id(*id)))
        }
        _ => resolve.types.get(id).map(|definition| named(resolve, definition)).unwrap_or_default(),
    }
}

/// A type or nothing, which is `_`.
pub(super) fn optional(resolve: &Resolve, ty: Option<&Type>) -> String {
    ty.map_or_else(|| "_".to_owned(), |ty| self::ty(resolve, ty))
}

/// A function's parameters, as WIT writes them.
pub(super) fn parameters(resolve: &Resolve, function: &Function) -> String {
    let parameter =
        |param: &wit_parser::Param| format!("{}: {}", param.name, ty(resolve, &param.ty));
    let parameters: Vec<String> = function.params.iter().map(parameter).collect();
    format!("({})", parameters.join(", "))
}

fn named(resolve: &Resolve, definition: &TypeDef) -> String {
    let name = definition.name.as_deref().unwrap_or("unnamed");
    let TypeOwner::Interface(owner) = definition.owner else { return name.to_owned() };
    let interface = resolve.interfaces.get(owner);
    let package = interface.and_then(|interface| resolve.packages.get(interface.package?));
    let (Some(interface), Some(package)) = (interface, package) else { return name.to_owned() };
    let PackageName { namespace, name: package, version } = &package.name;
    let version = version.as_ref().map(PackageName::version_compat_track_string);
    let version = version.map(|version| format!("@{version}")).unwrap_or_default();
    let interface = interface.name.as_deref().unwrap_or_default();
    format!("{namespace}:{package}/{interface}{version}.{name}")
}
