//! `[[trigger.http]]`, read on its own. `kafka` has a module of its own; other types of trigger
//! are refused.

use std::collections::BTreeMap;
use std::path::Path;

use crate::app::{Route, StaticResponse};
use crate::toml_file::{Section, Span, Text};

use super::application::refuse_trigger_type;
use super::component::{ComponentDraft, read_one};
use super::dependency::{DependencyDraft, read_middleware};

/// A trigger whose component is not looked up yet.
pub(super) struct TriggerDraft<'a> {
    /// `None` where the manifest gives none; Spin takes an empty one for none too.
    pub(super) id: Option<Text<'a>>,
    pub(super) route: Option<(Route, Span)>,
    pub(super) action: Option<ActionDraft<'a>>,
    pub(super) middleware: Vec<DependencyDraft<'a>>,
}

/// What answers, as written.
pub(super) enum ActionDraft<'a> {
    Component(Text<'a>),
    Inline(Box<ComponentDraft<'a>>),
    /// What was inline, once it has an id and a place among the components.
    Lifted(String),
    Static(StaticResponse),
}

const KEYS: &[&str] = &["id", "route", "component", "static_response", "executor", "dependencies"];

/// Under this prefix Ward and Spin answer themselves.
const RESERVED_PREFIX: &str = "/.well-known/spin/";

pub(super) fn read_all<'a>(root: &Section<'a>, directory: &Path) -> Vec<TriggerDraft<'a>> {
    let Some(types) = root.section("trigger") else {
        if !root.has("trigger") {
            let help = "add a [[trigger.http]] with a route and a component";
            let problem = "the application has no trigger, so nothing would ever run";
            root.report.error_help(&root.span, problem, help.to_owned());
        }
        return Vec::new();
    };
    let mut triggers = Vec::new();
    for (kind, _) in types.entries() {
        match kind.value {
            "http" => {}
            // Read by modules of their own.
            "grpc" | "kafka" => continue,
            _ => {
                refuse_trigger_type(&types, &kind);
                continue;
            }
        }
        for item in types.list("http", "written as [[trigger.http]]") {
            if let Some(section) = types.section_of(item, "a trigger") {
                triggers.push(read_trigger(&section, directory));
            }
        }
    }
    triggers
}

fn read_trigger<'a>(section: &Section<'a>, directory: &Path) -> TriggerDraft<'a> {
    check_keys(section);
    check_executor(section);
    let action = read_action(section, directory);
    let middleware = read_all_middleware(section);
    if matches!(action, Some(ActionDraft::Static(_))) && !middleware.is_empty() {
        let span = section.key_span("dependencies");
        section.error(
            &span,
            "a `static_response` has no component that middleware could stand in front of",
        );
    }
    TriggerDraft {
        id: section.text("id").filter(|id| !id.value.is_empty()),
        route: read_route(section),
        action,
        middleware,
    }
}

fn check_keys(section: &Section<'_>) {
    if section.has("components") {
        let span = section.key_span("components");
        let help = "name the one component with `component`";
        section.report.error_help(&span, "an http trigger has no `components`", help.to_owned());
        // Known, so that it is not reported as unknown too.
        section.only(&[KEYS, &["components"]].concat());
    } else {
        section.only(KEYS);
    }
}

fn read_route(section: &Section<'_>) -> Option<(Route, Span)> {
    let Some(value) = section.value("route") else {
        section.missing("route", "a path such as \"/api/...\", or { private = true }");
        return None;
    };
    let span = value.span();
    if let Some(path) = value.get_ref().as_str() {
        check_path(section, &Text { value: path, span: span.clone() });
        return Some((Route::Public(path.to_owned()), span));
    }
    if !value.get_ref().is_table() {
        section.wrong_type(value, "route", "a path or { private = true }");
        return None;
    }
    let table = section.section("route")?;
    table.only(&["private"]);
    if table.flag("private") != Some(true) {
        let problem = "a route that is no path must be { private = true }";
        table.error(&span, problem);
    }
    Some((Route::Private, span))
}

fn check_path(section: &Section<'_>, path: &Text<'_>) {
    let report = section.report;
    let segments: Vec<&str> = path.value.split('/').collect();
    let (last, before) = segments.split_last().unwrap_or((&"", &[]));
    if before.iter().any(|segment| matches!(*segment, "..." | "*")) {
        let help = "put the wildcard at the end, or use `:name` for one segment".to_owned();
        report.error_help(&path.span, "a wildcard stands at the end of a route only", help);
    } else if last.len() > 3 && last.ends_with("...") {
        let help = "put a slash before the dots, as in \"/api/...\"".to_owned();
        report.error_help(&path.span, "the `...` of a route is a segment of its own", help);
    }
    if segments.contains(&":") {
        let help = "name it, as in \"/users/:id\"".to_owned();
        report.error_help(&path.span, "a `:` in a route needs a name after it", help);
    }
    if path.value.contains(['?', '#']) {
        report.error(&path.span, "a route is a path only, without a query or fragment");
    }
    if path.value.starts_with(RESERVED_PREFIX) {
        let problem = format!("`{RESERVED_PREFIX}` is reserved; this route is never reached");
        report.warn(&path.span, problem, "move the route elsewhere");
    }
}

fn read_action<'a>(section: &Section<'a>, directory: &Path) -> Option<ActionDraft<'a>> {
    match (section.value("component"), section.has("static_response")) {
        (Some(_), true) => {
            let problem = "a trigger has a `component` or a `static_response`, not both";
            section.error(&section.key_span("static_response"), problem);
            read_static(section);
            None
        }
        (None, false) => {
            let help = "write component = \"<id>\", or static_response = { body = \"…\" }";
            let problem = "this trigger names nothing that answers";
            section.report.error_help(&section.span, problem, help.to_owned());
            None
        }
        (None, true) => read_static(section).map(ActionDraft::Static),
        (Some(value), false) if value.get_ref().is_table() => {
            let inline = section.section("component")?;
            let draft = read_one("", &inline, directory);
            Some(ActionDraft::Inline(Box::new(draft)))
        }
        (Some(_), false) => section.text("component").map(ActionDraft::Component),
    }
}

fn read_static(section: &Section<'_>) -> Option<StaticResponse> {
    let table = section.section("static_response")?;
    for (key, _) in table.entries() {
        if !["status_code", "headers", "body"].contains(&key.value) {
            // Spin lets these pass, so Ward must not refuse the manifest.
            let problem = format!("`{}` means nothing in a static response", key.value);
            table.report.warn(&key.span, problem, "the keys are status_code, headers and body");
        }
    }
    let mut headers = BTreeMap::new();
    for (name, value) in table.text_map("headers") {
        if http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            table.error(&name.span, format!("{:?} is no header name", name.value));
        }
        if http::HeaderValue::from_str(value.value).is_err() {
            table.error(&value.span, format!("the value of `{}` is no header value", name.value));
        }
        headers.insert(name.value.to_owned(), value.value.to_owned());
    }
    Some(StaticResponse {
        status_code: read_status(&table).unwrap_or(200),
        headers,
        body: table.string("body").unwrap_or_default(),
    })
}

fn read_status(table: &Section<'_>) -> Option<u16> {
    let (number, span) = table.integer("status_code")?;
    let status = u16::try_from(number).ok().filter(|status| (100..=599).contains(status));
    if status.is_none() {
        table.error(&span, format!("{number} is no HTTP status; they go from 100 to 599"));
    }
    status
}

fn check_executor(section: &Section<'_>) {
    let Some(executor) = section.section("executor") else { return };
    let Some(kind) = executor.required_text("type") else { return };
    match kind.value {
        "http" | "spin" => executor.only(&["type"]),
        "wagi" => {
            let help = "build the component for wasi:http, and leave `executor` out";
            let problem = "the `wagi` executor is not supported by Ward yet";
            executor.report.error_help(&kind.span, problem, help.to_owned());
        }
        other => {
            let problem = format!("{other:?} is no executor; leave it out, or write \"http\"");
            executor.error(&kind.span, problem);
        }
    }
}

fn read_all_middleware<'a>(section: &Section<'a>) -> Vec<DependencyDraft<'a>> {
    let Some(dependencies) = section.section("dependencies") else { return Vec::new() };
    dependencies.only(&["middleware"]);
    let items = dependencies.list("middleware", "a list, the outermost first");
    items.iter().filter_map(|item| read_middleware(&dependencies, item)).collect()
}
