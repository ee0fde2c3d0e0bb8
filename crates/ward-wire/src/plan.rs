//! The tables by which messages are read and written: for each message what its fields are, by
//! number, and what WIT value they make up. Made once, when a service is derived. They own what
//! they refer to, so that nothing has to be looked up while a message is read.

use std::sync::Arc;

/// A message.
#[derive(Debug)]
pub(crate) struct MessagePlan {
    /// With its package.
    pub(crate) full_name: String,
    pub(crate) shape: Shape,
    /// Numbered from 1 without gaps: the field at index `n` has number `n + 1`.
    pub(crate) fields: Vec<FieldPlan>,
    /// How many messages are nested in each other, this one counted.
    pub(crate) depth: usize,
    /// How many values it has when nothing was sent.
    pub(crate) default_values: usize,
}

impl MessagePlan {
    pub(crate) fn new(full_name: String, shape: Shape, fields: Vec<FieldPlan>) -> MessagePlan {
        let depth = 1 + fields.iter().map(|field| field.kind.depth()).max().unwrap_or_default();
        let default_values = match shape {
            // A oneof has no default.
            Shape::Variant | Shape::Result => 1,
            Shape::Record | Shape::Tuple | Shape::Wrapper => {
                fields.iter().map(FieldPlan::default_values).fold(1, usize::saturating_add)
            }
        };
        MessagePlan { full_name, shape, fields, depth, default_values }
    }
}

impl FieldPlan {
    fn default_values(&self) -> usize {
        match self.label {
            Label::Single => self.kind.default_values(),
            Label::Optional | Label::List => 1,
        }
    }
}

/// What value a message stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A record: one field of the message for each of its.
    Record,
    /// A tuple: one field for each element.
    Tuple,
    /// A variant: a oneof with one field for each case.
    Variant,
    /// A result: a oneof of `ok` and `err`.
    Result,
    /// The value of its only field, where that has no place of its own: a list in a list.
    Wrapper,
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct FieldPlan {
    /// As the .proto file names it: `order_id`.
    pub(crate) proto: String,
    /// As JSON names it: `orderId`.
    pub(crate) json: String,
    pub(crate) number: u32,
    pub(crate) label: Label,
    pub(crate) kind: Kind,
}

/// How often a field is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// Once; if it is missing, it has its type's default.
    Single,
    /// An `option`.
    Optional,
    /// A `list`.
    List,
}

/// What a field holds.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    Bytes,
    Enum(Arc<EnumPlan>),
    /// A repeated enum.
    Flags(Arc<EnumPlan>),
    Message(Arc<MessagePlan>),
    /// The payload of a case that has none: `google.protobuf.Empty`.
    Empty,
}

/// An enum, also that of flags.
#[derive(Debug)]
pub(crate) struct EnumPlan {
    /// With its package.
    pub(crate) full_name: String,
    /// What 0 is called, which is no case.
    pub(crate) unspecified: String,
    /// The cases' names; the case at index `n` is the number `n + 1`.
    pub(crate) values: Vec<String>,
}

/// How a field is laid out in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Fixed32 = 5,
}

impl Kind {
    /// The layout of one value, outside packed lists.
    pub(crate) fn wire(&self) -> Wire {
        match self {
            Kind::F32 => Wire::Fixed32,
            Kind::F64 => Wire::Fixed64,
            Kind::Char | Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Empty => Wire::Bytes,
            Kind::Bool
            | Kind::S8
            | Kind::U8
            | Kind::S16
            | Kind::U16
            | Kind::S32
            | Kind::U32
            | Kind::S64
            | Kind::U64
            | Kind::Enum(_)
            | Kind::Flags(_) => Wire::Varint,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Kind::Message(plan) => plan.depth,
            _ => 0,
        }
    }

    fn default_values(&self) -> usize {
        match self {
            Kind::Message(plan) => plan.default_values,
            _ => 1,
        }
    }
}
