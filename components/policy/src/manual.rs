//! `docs/roles.md`, made from the table and the texts beside this file.
//! `UPDATE_EXPECT=1 cargo test --release -p policy` writes it.

use std::fmt::Write;

use expect_test::expect_file;

use crate::{Operation, Scope, grpc, http, roles, scopes};

#[test]
fn the_manual_is_what_the_table_says() {
    let mut text = include_str!("manual_opening.txt").to_owned();
    about_roles(&mut text);
    about_scopes(&mut text);
    about_http(&mut text);
    about_grpc(&mut text);
    text.push_str(include_str!("manual_closing.txt"));
    expect_file!["../../../docs/roles.md"].assert_eq(&text);
}

fn about_roles(text: &mut String) {
    text.push_str("## Roles\n\n| role | whose it is |\n|---|---|\n");
    for role in roles::ALL {
        line(text, &[format!("`{}`", role.name), role.about.to_owned()]);
    }
}

fn about_scopes(text: &mut String) {
    text.push_str("\n## Scopes\n\n");
    head(text, &["scope", "what it allows"], &[]);
    for (scope, about) in scopes::ALL {
        let cells = [format!("`{scope}`"), (*about).to_owned()];
        let has = |role: &roles::Role| if role.scopes.contains(scope) { "yes" } else { "" };
        let of_roles = roles::ALL.iter().map(|role| has(role).to_owned());
        line(text, &cells.into_iter().chain(of_roles).collect::<Vec<_>>());
    }
}

fn about_http(text: &mut String) {
    text.push_str(include_str!("manual_http.txt"));
    head(text, &["operation", "request", "needs"], &["no token"]);
    for operation in http::operations() {
        line(text, &http_line(operation));
    }
}

fn http_line(operation: &Operation) -> Vec<String> {
    let Operation { name, verb, pattern, scope } = operation;
    let (needs, stranger) = match scope {
        Scope::Public => ("nothing".to_owned(), "yes"),
        Scope::Known => ("a token".to_owned(), "401"),
        Scope::Needs(scope) => (format!("`{scope}`"), "401"),
    };
    let may = |role: &roles::Role| match scope {
        Scope::Needs(scope) if !role.scopes.contains(scope) => "403",
        _ => "yes",
    };
    let cells = [format!("`{name}`"), format!("`{} {pattern}`", verb.as_str()), needs];
    let of_roles = roles::ALL.iter().map(|role| may(role).to_owned());
    cells.into_iter().chain(of_roles).chain([stranger.to_owned()]).collect()
}

fn about_grpc(text: &mut String) {
    text.push_str(include_str!("manual_grpc.txt"));
    head(text, &["method", "function", "needs"], &["no token"]);
    for interface in grpc::INTERFACES {
        let Some(service) = interface.service else { continue };
        for function in interface.functions {
            let method = format!("{service}/{}", pascal(function.0));
            line(text, &grpc_line(method, interface, function));
        }
    }
    text.push_str(include_str!("manual_links.txt"));
    head(text, &["interface", "function", "needs"], &["no caller"]);
    for interface in grpc::INTERFACES.iter().filter(|it| it.service.is_none()) {
        for function in interface.functions {
            line(text, &grpc_line(interface.name.to_owned(), interface, function));
        }
    }
}

fn grpc_line(
    method: String,
    interface: &grpc::Interface,
    (function, scope): &(&str, &str),
) -> Vec<String> {
    let may = |role: &roles::Role| match interface.allows(role.name, function) {
        true => "yes",
        false => "no",
    };
    let cells = [format!("`{method}`"), format!("`{function}`"), format!("`{scope}`")];
    let of_roles = roles::ALL.iter().map(|role| may(role).to_owned());
    cells.into_iter().chain(of_roles).chain(["no".to_owned()]).collect()
}

fn head(text: &mut String, before: &[&str], after: &[&str]) {
    let roles = roles::ALL.iter().map(|role| role.name);
    let names: Vec<&str> =
        before.iter().copied().chain(roles).chain(after.iter().copied()).collect();
    let _ = writeln!(text, "| {} |\n|{}", names.join(" | "), "---|".repeat(names.len()));
}

fn line(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// `create-billing-account` as gRPC writes it.
fn pascal(name: &str) -> String {
    name.split('-').flat_map(|word| [word[..1].to_uppercase(), word[1..].to_owned()]).collect()
}
