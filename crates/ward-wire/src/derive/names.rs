//! Names for what has none in WIT: lists in lists, tuples and results where they are used without
//! a name. They follow from the type alone, so that one type is one message wherever it is used,
//! and that a later use changes nothing: `tuple<string, u32>` is `TupleStringU32`. What is inside
//! another ends with `_`, or two types could have one name: `list<tuple<u32>>` is `TupleU32_List`
//! and `tuple<list<u32>>` is `TupleU32List`, since at a name's end there is nothing to tell apart.

use wit_parser::{Resolve, Type, TypeDefKind};

use super::Deriver;
use crate::contract::definition;
use crate::limits::NAME_BYTES_MAX;
use crate::naming::upper_camel;

impl Deriver<'_> {
    /// The name of a type's message; `None` if it would be too long.
    pub(super) fn made_name(&self, ty: &Type) -> Option<String> {
        let mut name = String::new();
        write(&self.contract.resolve, ty, &mut name, &PROTO, false)
            .then(|| name.trim_end_matches(PROTO.closing).to_owned())
    }

    /// A type in words that differ for every other one; for types whose name is not too long.
    pub(super) fn made_origin(&self, ty: &Type) -> Option<String> {
        let mut name = String::new();
        write(&self.contract.resolve, ty, &mut name, &WIT, false).then_some(name)
    }
}

/// How types are written: what comes before a type's parts, between them and after, and how long
/// all of it may be.
struct Style {
    bytes_max: usize,
    named: fn(&str, usize) -> String,
    around: fn(&str) -> (&'static str, &'static str, &'static str),
    /// What ends a type with parts that is itself a part.
    closing: &'static str,
}

/// As the name of a message.
const PROTO: Style = Style {
    bytes_max: NAME_BYTES_MAX,
    named: |name, _| upper_camel(name),
    around: |kind| match kind {
        "list" => ("", "", "List"),
        "flags" => ("", "", "Set"),
        "option" => ("Optional", "", ""),
        "tuple" => ("Tuple", "", ""),
        _ => ("Result", "", ""),
    },
    closing: "_",
};

/// As WIT writes it, but with each name's number, so that equal names of two interfaces differ.
/// As many parts as the message's name has, so it needs no limit of its own.
const WIT: Style = Style {
    bytes_max: usize::MAX,
    named: |name, index| match index {
        UNNUMBERED => name.to_owned(),
        index => format!("{name}#{index}"),
    },
    around: |kind| match kind {
        "list" => ("list<", "", ">"),
        "flags" => ("flags<", "", ">"),
        "option" => ("option<", "", ">"),
        "tuple" => ("tuple<", ", ", ">"),
        _ => ("result<", ", ", ">"),
    },
    closing: "",
};

/// In place of a number, for what is no type of an interface.
const UNNUMBERED: usize = usize::MAX;

/// Writes a type, which may be a part of another; false once that has become too long.
fn write(resolve: &Resolve, ty: &Type, out: &mut String, style: &Style, inside: bool) -> bool {
    let (ty, kind) = definition(resolve, ty);
    let parts = |out: &mut String, kind: &str, types: &[Option<Type>]| {
        let (before, between, after) = (style.around)(kind);
        out.push_str(before);
        for (index, ty) in types.iter().enumerate() {
            if index > 0 {
                out.push_str(between);
            }
            match ty {
                Some(ty) if !write(resolve, ty, out, style, true) => return false,
                Some(_) => {}
                None => out.push_str(&(style.named)("empty", UNNUMBERED)),
            }
        }
        out.push_str(after);
        if inside {
            out.push_str(style.closing);
        }
        out.len() <= style.bytes_max
    };
    let name = match ty {
        Type::Id(id) => {
            resolve.types.get(id).and_then(|ty| Some((ty.name.as_deref()?, id.index())))
        }
        primitive => Some((primitive_name(primitive), UNNUMBERED)),
    };
    match kind {
        // Lists and options are what they are also under a name of their own.
        Some(TypeDefKind::List(Type::U8)) => {
            out.push_str(&(style.named)("bytes", UNNUMBERED));
            true
        }
        Some(TypeDefKind::List(element)) => parts(out, "list", &[Some(*element)]),
        Some(TypeDefKind::Option(inner)) => parts(out, "option", &[Some(*inner)]),
        Some(TypeDefKind::Tuple(tuple)) if name.is_none() => {
            let types: Vec<_> = tuple.types.iter().map(|ty| Some(*ty)).collect();
            parts(out, "tuple", &types)
        }
        Some(TypeDefKind::Result(result)) if name.is_none() => {
            parts(out, "result", &[result.ok, result.err])
        }
        _ => {
            let (name, index) = name.unwrap_or(("unnamed", UNNUMBERED));
            out.push_str(&(style.named)(name, index));
            out.len() <= style.bytes_max
        }
    }
}

fn primitive_name(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(_) => "unnamed",
    }
}
