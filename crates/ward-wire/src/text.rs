//! Documents as .proto text, as a person would write it.

use std::fmt::Write as _;

use crate::descriptor::{imports, is_repeated, oneof, scalar_type, type_name};
use crate::document::{Document, EnumItem, File, MessageItem, ServiceItem};
use crate::plan::{FieldPlan, Label};

/// The files by name, imported ones first.
pub(crate) fn files(document: &Document) -> Vec<(String, String)> {
    document.files.iter().map(|file| (file.name.clone(), self::file(document, file))).collect()
}

/// The only file; or all, one after another, each after a line that names it.
pub(crate) fn text(document: &Document) -> String {
    let mut files = files(document);
    match files.as_mut_slice() {
        [(_, text)] => std::mem::take(text),
        files => {
            let named = files.iter().map(|(name, text)| format!("// file: {name}\n{text}"));
            named.collect::<Vec<_>>().join("\n")
        }
    }
}

fn file(document: &Document, file: &File) -> String {
    let mut out = format!("// Derived from the WIT package {}. Do not edit.\n", file.source);
    if let Some(docs) = &file.docs {
        out.push_str("//\n");
        comment(&mut out, "", docs);
    }
    out.push_str("\nsyntax = \"proto3\";\n");
    if !file.package.is_empty() {
        let _ = write!(out, "\npackage {};\n", file.package);
    }
    let imports = imports(document, file);
    if !imports.is_empty() {
        out.push('\n');
        imports.iter().for_each(|import| out.push_str(&format!("import \"{import}\";\n")));
    }
    file.services.iter().for_each(|item| service(&mut out, file, item));
    file.messages.iter().for_each(|item| message(&mut out, file, item));
    file.enums.iter().for_each(|item| enumeration(&mut out, file, item));
    out
}

fn service(out: &mut String, file: &File, item: &ServiceItem) {
    open(out, &item.docs, "service", &item.name);
    for (index, method) in item.methods.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        documented(out, "  ", &method.docs);
        let (input, output) = (reference(file, &method.input), reference(file, &method.output));
        let _ = writeln!(out, "  rpc {}({input}) returns ({output});", method.name);
    }
    out.push_str("}\n");
}

fn message(out: &mut String, file: &File, item: &MessageItem) {
    let name = file.local(&item.plan.full_name);
    open(out, &item.docs, "message", name);
    if item.plan.fields.is_empty() {
        out.truncate(out.len() - 1);
        out.push_str("}\n");
        return;
    }
    let oneof = oneof(&item.plan);
    let indent = if let Some(oneof) = &oneof {
        let _ = writeln!(out, "  oneof {oneof} {{");
        "    "
    } else {
        "  "
    };
    for (field, docs) in item.plan.fields.iter().zip(&item.field_docs) {
        documented(out, indent, docs);
        let label = label(field);
        let ty = match type_name(&field.kind) {
            Some(name) => reference(file, name),
            None => scalar(field).to_owned(),
        };
        let _ = writeln!(out, "{indent}{label}{ty} {} = {};", field.proto, field.number);
    }
    if oneof.is_some() {
        out.push_str("  }\n");
    }
    out.push_str("}\n");
}

fn enumeration(out: &mut String, file: &File, item: &EnumItem) {
    open(out, &item.docs, "enum", file.local(&item.plan.full_name));
    let _ = writeln!(out, "  {} = 0;", item.plan.unspecified);
    for (number, (name, docs)) in (1..).zip(item.plan.values.iter().zip(&item.value_docs)) {
        documented(out, "  ", docs);
        let _ = writeln!(out, "  {name} = {number};");
    }
    out.push_str("}\n");
}

fn open(out: &mut String, docs: &Option<String>, keyword: &str, name: &str) {
    out.push('\n');
    documented(out, "", docs);
    let _ = writeln!(out, "{keyword} {name} {{");
}

fn documented(out: &mut String, indent: &str, docs: &Option<String>) {
    if let Some(docs) = docs {
        comment(out, indent, docs);
    }
}

fn comment(out: &mut String, indent: &str, docs: &str) {
    for line in docs.lines() {
        let line = line.trim_end();
        let space = if line.is_empty() { "" } else { " " };
        let _ = writeln!(out, "{indent}//{space}{line}");
    }
}

fn label(field: &FieldPlan) -> &'static str {
    match field.label {
        _ if is_repeated(field) => "repeated ",
        Label::Optional => "optional ",
        Label::Single | Label::List => "",
    }
}

fn scalar(field: &FieldPlan) -> &'static str {
    use prost_types::field_descriptor_proto::Type;
    match scalar_type(&field.kind) {
        Type::Bool => "bool",
        Type::Int32 => "int32",
        Type::Uint32 => "uint32",
        Type::Int64 => "int64",
        Type::Uint64 => "uint64",
        Type::Float => "float",
        Type::Double => "double",
        Type::Bytes => "bytes",
        _ => "string",
    }
}

/// How a file refers to a type: by its own name in its own package, otherwise in full. Protobuf
/// looks a name's first part up from the inside out, so that `shop.…` inside of `a.shop.b` would be
/// sought in `a.shop`: a dot in front says that it is meant from the top.
fn reference(file: &File, full_name: &str) -> String {
    let local = file.local(full_name);
    if !local.contains('.') {
        return local.to_owned();
    }
    let first = full_name.split('.').next();
    let hidden = file.package.split('.').skip(1).any(|part| Some(part) == first);
    if hidden { format!(".{full_name}") } else { full_name.to_owned() }
}
