//! Documents as protobuf's own descriptors, comments included: what reflection serves and other
//! implementations read.

use prost_types::field_descriptor_proto::{Label as ProtoLabel, Type};
use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, FileOptions, MethodDescriptorProto,
    OneofDescriptorProto, ServiceDescriptorProto, SourceCodeInfo,
};

use crate::document::{Document, EnumItem, File, MessageItem, ServiceItem};
use crate::plan::{FieldPlan, Kind, Label, MessagePlan, Shape};

/// The file and the message that cases without a payload refer to.
pub(crate) const EMPTY_FILE: &str = "google/protobuf/empty.proto";
pub(crate) const EMPTY: &str = "google.protobuf.Empty";

/// All files, imported ones first.
pub(crate) fn set(document: &Document) -> FileDescriptorSet {
    let files = document.files.iter().map(|file| self::file(document, file)).collect::<Vec<_>>();
    let imports_empty = files.iter().any(|file| file.dependency.iter().any(|d| d == EMPTY_FILE));
    let empty = imports_empty.then(empty_file);
    FileDescriptorSet { file: empty.into_iter().chain(files).collect() }
}

/// `google/protobuf/empty.proto` as protobuf ships it.
fn empty_file() -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(EMPTY_FILE.to_owned()),
        package: Some("google.protobuf".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("Empty".to_owned()),
            ..DescriptorProto::default()
        }],
        options: Some(FileOptions {
            java_package: Some("com.google.protobuf".to_owned()),
            java_outer_classname: Some("EmptyProto".to_owned()),
            java_multiple_files: Some(true),
            go_package: Some("google.golang.org/protobuf/types/known/emptypb".to_owned()),
            cc_enable_arenas: Some(true),
            objc_class_prefix: Some("GPB".to_owned()),
            csharp_namespace: Some("Google.Protobuf.WellKnownTypes".to_owned()),
            ..FileOptions::default()
        }),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

fn file(document: &Document, file: &File) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(file.name.clone()),
        package: Some(file.package.clone()).filter(|package| !package.is_empty()),
        dependency: imports(document, file),
        message_type: file.messages.iter().map(|item| message(file, item)).collect(),
        enum_type: file.enums.iter().map(|item| enumeration(file, item)).collect(),
        service: file.services.iter().map(service).collect(),
        source_code_info: Some(comments(file)),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

/// The files that a file refers to, in order of their names.
pub(crate) fn imports(document: &Document, file: &File) -> Vec<String> {
    let fields = file.messages.iter().flat_map(|item| &item.plan.fields);
    let methods = file.services.iter().flat_map(|service| &service.methods);
    let mut names: Vec<&str> = fields.filter_map(|field| type_name(&field.kind)).collect();
    names.extend(methods.flat_map(|method| [method.input.as_str(), method.output.as_str()]));
    let mut imports: Vec<String> = Vec::new();
    for name in names {
        let declares = |file: &&File| {
            file.messages.iter().any(|item| item.plan.full_name == name)
                || file.enums.iter().any(|item| item.plan.full_name == name)
        };
        let import = if name == EMPTY {
            Some(EMPTY_FILE.to_owned())
        } else {
            document.files.iter().find(declares).map(|file| file.name.clone())
        };
        imports.extend(import.filter(|import| *import != file.name));
    }
    imports.sort();
    imports.dedup();
    imports
}

pub(crate) fn message(file: &File, item: &MessageItem) -> DescriptorProto {
    let plan = &item.plan;
    let mut oneofs: Vec<String> = oneof(plan).into_iter().collect();
    let mut fields = Vec::new();
    for field in &plan.fields {
        // An optional field is in a oneof of its own; those come after the real ones.
        let synthetic = field.label == Label::Optional;
        let index = if synthetic {
            oneofs.push(format!("_{}", field.proto));
            Some(oneofs.len() - 1)
        } else {
            matches!(plan.shape, Shape::Variant | Shape::Result).then_some(0)
        };
        fields.push(FieldDescriptorProto {
            name: Some(field.proto.clone()),
            number: i32::try_from(field.number).ok(),
            label: Some(
                if is_repeated(field) { ProtoLabel::Repeated } else { ProtoLabel::Optional } as i32,
            ),
            r#type: Some(scalar_type(&field.kind) as i32),
            type_name: type_name(&field.kind).map(|name| format!(".{name}")),
            json_name: Some(field.json.clone()),
            oneof_index: index.and_then(|index| i32::try_from(index).ok()),
            proto3_optional: synthetic.then_some(true),
            ..FieldDescriptorProto::default()
        });
    }
    let oneof_decl = oneofs
        .into_iter()
        .map(|name| OneofDescriptorProto { name: Some(name), ..OneofDescriptorProto::default() });
    DescriptorProto {
        name: Some(file.local(&plan.full_name).to_owned()),
        field: fields,
        oneof_decl: oneof_decl.collect(),
        ..DescriptorProto::default()
    }
}

/// What the oneof of a message is called, if its fields are one. Fields and oneofs share their
/// names, so it steps aside.
pub(crate) fn oneof(plan: &MessagePlan) -> Option<String> {
    let wanted = match plan.shape {
        Shape::Variant => "kind",
        Shape::Result => "result",
        Shape::Record | Shape::Tuple | Shape::Wrapper => return None,
    };
    let taken = |name: &String| {
        plan.fields.iter().any(|field| {
            field.proto == *name || field.json.eq_ignore_ascii_case(&name.replace('_', ""))
        })
    };
    let mut name = wanted.to_owned();
    while taken(&name) {
        name.push_str("_case");
    }
    Some(name)
}

pub(crate) fn is_repeated(field: &FieldPlan) -> bool {
    field.label == Label::List || matches!(field.kind, Kind::Flags(_))
}

pub(crate) fn scalar_type(kind: &Kind) -> Type {
    match kind {
        Kind::Bool => Type::Bool,
        Kind::S8 | Kind::S16 | Kind::S32 => Type::Int32,
        Kind::U8 | Kind::U16 | Kind::U32 => Type::Uint32,
        Kind::S64 => Type::Int64,
        Kind::U64 => Type::Uint64,
        Kind::F32 => Type::Float,
        Kind::F64 => Type::Double,
        Kind::Char | Kind::String => Type::String,
        Kind::Bytes => Type::Bytes,
        Kind::Enum(_) | Kind::Flags(_) => Type::Enum,
        Kind::Message(_) | Kind::Empty => Type::Message,
    }
}

/// The name, with its package, of the message or enum that a field is of.
pub(crate) fn type_name(kind: &Kind) -> Option<&str> {
    match kind {
        Kind::Enum(plan) | Kind::Flags(plan) => Some(&plan.full_name),
        Kind::Message(plan) => Some(&plan.full_name),
        Kind::Empty => Some(EMPTY),
        _ => None,
    }
}

pub(crate) fn enumeration(file: &File, item: &EnumItem) -> EnumDescriptorProto {
    let names = std::iter::once(&item.plan.unspecified).chain(&item.plan.values);
    let values = (0..).zip(names).map(|(number, name)| EnumValueDescriptorProto {
        name: Some(name.clone()),
        number: Some(number),
        options: None,
    });
    EnumDescriptorProto {
        name: Some(file.local(&item.plan.full_name).to_owned()),
        value: values.collect(),
        ..EnumDescriptorProto::default()
    }
}

pub(crate) fn service(item: &ServiceItem) -> ServiceDescriptorProto {
    let methods = item.methods.iter().map(|method| MethodDescriptorProto {
        name: Some(method.name.clone()),
        input_type: Some(format!(".{}", method.input)),
        output_type: Some(format!(".{}", method.output)),
        ..MethodDescriptorProto::default()
    });
    ServiceDescriptorProto {
        name: Some(item.name.clone()),
        method: methods.collect(),
        options: None,
    }
}

/// The comments, each at the path of what it is about. There are no positions: the text that they
/// would be in need not exist.
fn comments(file: &File) -> SourceCodeInfo {
    const PACKAGE: i32 = 2;
    const MESSAGE: i32 = 4;
    const ENUM: i32 = 5;
    const SERVICE: i32 = 6;
    // Fields of a message, values of an enum, methods of a service.
    const MEMBER: i32 = 2;
    let mut location = Vec::new();
    let mut add = |path: &[i32], docs: &Option<String>| {
        let leading_comments = docs.as_deref().map(comment);
        if leading_comments.is_some() {
            let (path, span) = (path.to_vec(), vec![0, 0, 0]);
            location.push(Location { path, span, leading_comments, ..Location::default() });
        }
    };
    add(&[PACKAGE], &file.docs);
    for (at, item) in (0..).zip(&file.messages) {
        add(&[MESSAGE, at], &item.docs);
        (0..).zip(&item.field_docs).for_each(|(f, docs)| add(&[MESSAGE, at, MEMBER, f], docs));
    }
    for (at, item) in (0..).zip(&file.enums) {
        add(&[ENUM, at], &item.docs);
        (1..).zip(&item.value_docs).for_each(|(v, docs)| add(&[ENUM, at, MEMBER, v], docs));
    }
    for (at, item) in (0..).zip(&file.services) {
        add(&[SERVICE, at], &item.docs);
        for (m, method) in (0..).zip(&item.methods) {
            add(&[SERVICE, at, MEMBER, m], &method.docs);
        }
    }
    SourceCodeInfo { location }
}

/// As protoc keeps a comment: each line with the space that follows the slashes.
fn comment(docs: &str) -> String {
    docs.lines().map(|line| format!(" {}\n", line.trim_end())).collect()
}
