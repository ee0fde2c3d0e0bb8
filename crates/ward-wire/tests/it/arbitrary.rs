//! Arbitrary WIT types and values of them. Only what has a form in protobuf is made: that all of
//! it is derived is part of what is tested.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ward_wire::Value;

/// A type, as it is written where it is used.
#[derive(Debug, Clone)]
pub(crate) enum Ty {
    Primitive(&'static str),
    Bytes,
    /// A declared type, by its number.
    Named(usize),
    Option(Box<Ty>),
    List(Box<Ty>),
    Tuple(Vec<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
}

/// A type that is declared, and may use those before it.
#[derive(Debug, Clone)]
pub(crate) enum Declaration {
    Record(Vec<Ty>),
    Variant(Vec<Option<Ty>>),
    Enum(usize),
    Flags(usize),
    Alias(Ty),
}

/// Declarations, and the fields of a record `r` that uses them.
#[derive(Debug, Clone)]
pub(crate) struct Types {
    declarations: Vec<Declaration>,
    fields: Vec<Ty>,
}

const PRIMITIVES: [&str; 13] =
    ["bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string"];

/// Names that are words of protobuf or of Rust, or several words.
const NAMES: [&str; 8] =
    ["message", "string", "option", "patient-id", "x", "kind", "HTTP-code", "v2-a"];

pub(crate) fn types() -> impl Strategy<Value = Types> {
    let declarations = vec(any::<u8>(), 0..5).prop_flat_map(|kinds| {
        let each = kinds.into_iter().enumerate();
        each.map(|(before, kind)| declaration(before, kind)).collect::<Vec<_>>()
    });
    declarations.prop_flat_map(|declarations| {
        let fields = vec(field(declarations.len()), 1..6);
        fields.prop_map(move |fields| Types { declarations: declarations.clone(), fields })
    })
}

fn declaration(before: usize, kind: u8) -> BoxedStrategy<Declaration> {
    match kind % 6 {
        0 => (1usize..5).prop_map(Declaration::Enum).boxed(),
        1 => (1usize..9).prop_map(Declaration::Flags).boxed(),
        2 => vec(proptest::option::of(nested(before)), 1..5).prop_map(Declaration::Variant).boxed(),
        3 => nested(before).prop_map(Declaration::Alias).boxed(),
        _ => vec(field(before), 1..5).prop_map(Declaration::Record).boxed(),
    }
}

/// What a field may be.
fn field(before: usize) -> BoxedStrategy<Ty> {
    let boxed = || nested(before).prop_map(Box::new);
    prop_oneof![nested(before), boxed().prop_map(Ty::Option), boxed().prop_map(Ty::List)].boxed()
}

/// What a list, an option or a case may hold.
fn nested(before: usize) -> BoxedStrategy<Ty> {
    let leaf = prop_oneof![
        2 => select(&PRIMITIVES[..]).prop_map(Ty::Primitive),
        1 => Just(Ty::Bytes),
        2 => (0..before.max(1)).prop_map(move |index| match before {
            0 => Ty::Primitive("u32"),
            _ => Ty::Named(index),
        }),
    ];
    let deeper = leaf.prop_recursive(2, 6, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let part = prop_oneof![inner.clone(), boxed.clone().prop_map(Ty::Option)];
        prop_oneof![
            boxed.clone().prop_map(Ty::List),
            vec(part, 1..3).prop_map(Ty::Tuple),
            (proptest::option::of(boxed.clone()), proptest::option::of(boxed))
                .prop_map(|(ok, err)| Ty::Result(ok, err)),
        ]
    });
    deeper.boxed()
}

impl Ty {
    fn wit(&self) -> String {
        let part = |ty: &Option<Box<Ty>>| ty.as_ref().map_or("_".to_owned(), |ty| ty.wit());
        match self {
            Ty::Primitive(name) => (*name).to_owned(),
            Ty::Bytes => "list<u8>".to_owned(),
            Ty::Named(index) => format!("t{index}"),
            Ty::Option(inner) => format!("option<{}>", inner.wit()),
            Ty::List(element) => format!("list<{}>", element.wit()),
            Ty::Tuple(types) => {
                format!("tuple<{}>", types.iter().map(Ty::wit).collect::<Vec<_>>().join(", "))
            }
            Ty::Result(None, None) => "result".to_owned(),
            Ty::Result(Some(ok), None) => format!("result<{}>", ok.wit()),
            Ty::Result(ok, err) => format!("result<{}, {}>", part(ok), part(err)),
        }
    }
}

fn name(index: usize) -> String {
    format!("%{}{index}", NAMES[index % NAMES.len()])
}

impl Types {
    /// An interface's body with these types and the record `r`.
    pub(crate) fn wit(&self) -> String {
        let mut out = String::new();
        let members = |types: &[Ty]| {
            let each = types.iter().enumerate();
            each.map(|(index, ty)| format!("{}: {}, ", name(index), ty.wit())).collect::<String>()
        };
        for (index, declaration) in self.declarations.iter().enumerate() {
            let cases = |count: &usize| (0..*count).map(|c| name(c) + ", ").collect::<String>();
            let _ = match declaration {
                Declaration::Record(types) => {
                    writeln!(out, "record t{index} {{ {} }}", members(types))
                }
                Declaration::Enum(count) => writeln!(out, "enum t{index} {{ {} }}", cases(count)),
                Declaration::Flags(count) => writeln!(out, "flags t{index} {{ {} }}", cases(count)),
                Declaration::Alias(ty) => writeln!(out, "type t{index} = {};", ty.wit()),
                Declaration::Variant(types) => {
                    let case = |(index, ty): (usize, &Option<Ty>)| match ty {
                        Some(ty) => format!("{}({}), ", name(index), ty.wit()),
                        None => name(index) + ", ",
                    };
                    let cases: String = types.iter().enumerate().map(case).collect();
                    writeln!(out, "variant t{index} {{ {cases} }}")
                }
            };
        }
        let _ = writeln!(out, "record r {{ {} }}", members(&self.fields));
        out
    }

    /// Values of the record `r`.
    pub(crate) fn value(&self) -> BoxedStrategy<Value> {
        self.record(&self.fields)
    }

    fn record(&self, types: &[Ty]) -> BoxedStrategy<Value> {
        let fields: Vec<_> = types.iter().map(|ty| self.of(ty)).collect();
        fields.prop_map(Value::Record).boxed()
    }

    fn of(&self, ty: &Ty) -> BoxedStrategy<Value> {
        match ty {
            Ty::Primitive(name) => primitive(name),
            Ty::Bytes => vec(any::<u8>(), 0..200).prop_map(Value::Bytes).boxed(),
            Ty::Named(index) => self.declared(&self.declarations[*index]),
            Ty::Option(inner) => proptest::option::of(self.of(inner))
                .prop_map(|value| Value::Option(value.map(Box::new)))
                .boxed(),
            // `list<u8>` under another name is bytes as well.
            Ty::List(element) if self.is_u8(element) => self.of(&Ty::Bytes),
            Ty::List(element) => vec(self.of(element), 0..4).prop_map(Value::List).boxed(),
            Ty::Tuple(types) => {
                let parts: Vec<_> = types.iter().map(|ty| self.of(ty)).collect();
                parts.prop_map(Value::Tuple).boxed()
            }
            Ty::Result(ok, err) => {
                let arm = |ty: &Option<Box<Ty>>| self.payload(ty.as_deref());
                prop_oneof![arm(ok).prop_map(Ok), arm(err).prop_map(Err)]
                    .prop_map(Value::Result)
                    .boxed()
            }
        }
    }

    fn is_u8(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Primitive(name) => *name == "u8",
            Ty::Named(index) => match &self.declarations[*index] {
                Declaration::Alias(ty) => self.is_u8(ty),
                _ => false,
            },
            _ => false,
        }
    }

    fn payload(&self, ty: Option<&Ty>) -> BoxedStrategy<Option<Box<Value>>> {
        match ty {
            Some(ty) => self.of(ty).prop_map(|value| Some(Box::new(value))).boxed(),
            None => Just(None).boxed(),
        }
    }

    fn declared(&self, declaration: &Declaration) -> BoxedStrategy<Value> {
        match declaration {
            Declaration::Record(types) => self.record(types),
            Declaration::Alias(ty) => self.of(ty),
            Declaration::Enum(count) => (0..*count as u32).prop_map(Value::Enum).boxed(),
            Declaration::Flags(count) => vec(any::<bool>(), *count).prop_map(Value::Flags).boxed(),
            Declaration::Variant(types) => {
                let cases: Vec<_> = types.iter().map(|ty| self.payload(ty.as_ref())).collect();
                let case = (0..cases.len()).prop_flat_map(move |index| {
                    let payload = cases[index].clone();
                    payload.prop_map(move |payload| Value::Variant(index as u32, payload))
                });
                case.boxed()
            }
        }
    }
}

fn primitive(name: &str) -> BoxedStrategy<Value> {
    // Zero often, because it is what is left out.
    macro_rules! number {
        ($type:ty, $value:expr) => {
            prop_oneof![1 => Just(<$type>::default()), 3 => any::<$type>()].prop_map($value).boxed()
        };
    }
    match name {
        "bool" => any::<bool>().prop_map(Value::Bool).boxed(),
        "s8" => number!(i8, Value::S8),
        "u8" => number!(u8, Value::U8),
        "s16" => number!(i16, Value::S16),
        "u16" => number!(u16, Value::U16),
        "s32" => number!(i32, Value::S32),
        "u32" => number!(u32, Value::U32),
        "s64" => number!(i64, Value::S64),
        "u64" => number!(u64, Value::U64),
        // Minus zero has a test of its own: not every implementation writes it. Adding zero to it
        // makes it plain zero.
        "f32" => number!(f32, |value| Value::F32(value + 0.0)),
        "f64" => number!(f64, |value| Value::F64(value + 0.0)),
        "char" => any::<char>().prop_map(Value::Char).boxed(),
        _ => any::<String>().prop_map(Value::String).boxed(),
    }
}
