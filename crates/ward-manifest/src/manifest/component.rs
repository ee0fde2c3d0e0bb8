//! `[component.<id>]`: one component, read on its own.

use std::collections::BTreeSet;
use std::path::Path;

use crate::app::{Build, Component, FileMount, InheritedOnly};
use crate::names::{declared_variable_flaw, kebab_flaw, label_flaw};
use crate::toml_file::{Section, Span, Text, Value};

use super::application::check_targets;
use super::dependency::{DependencyDraft, read_component_dependencies};
use super::tool::{ComponentSettingsDraft, read_component_settings};

/// A component whose references are not looked up yet.
pub(super) struct ComponentDraft<'a> {
    /// Everything but `dependencies`, which `links` fills in.
    pub(super) component: Component,
    pub(super) dependencies: Vec<(Text<'a>, DependencyDraft<'a>)>,
    /// `dependencies_inherit_configuration`, with its place.
    pub(super) inherit_all: Option<(bool, Span)>,
    /// Its templates: variables, then hosts. Each is checked against the declared variables.
    pub(super) templates: Vec<Text<'a>>,
    /// `allowed_outbound_hosts` as written.
    pub(super) hosts: Vec<Text<'a>>,
    /// The variable its database names.
    pub(super) database_variable: Option<Text<'a>>,
    /// Keys that give it permissions of its own; a dependency may have none.
    pub(super) grants: Vec<&'static str>,
}

const KEYS: &[&str] = &[
    "source",
    "description",
    "variables",
    "environment",
    "files",
    "exclude_files",
    "allowed_http_hosts",
    "allowed_outbound_hosts",
    "key_value_stores",
    "sqlite_databases",
    "ai_models",
    "targets",
    "build",
    "tool",
    "dependencies_inherit_configuration",
    "dependencies",
    "profile",
];

/// The keys Spin counts as permissions or resources of a component's own.
const GRANTS: &[&str] = &[
    "ai_models",
    "allowed_http_hosts",
    "allowed_outbound_hosts",
    "dependencies",
    "environment",
    "files",
    "key_value_stores",
    "sqlite_databases",
    "variables",
];

pub(super) fn read_all<'a>(root: &Section<'a>, directory: &Path) -> Vec<ComponentDraft<'a>> {
    let sections = root.sections("component");
    let read = sections.into_iter().map(|(id, section)| {
        if let Some(flaw) = kebab_flaw(id.value) {
            section.error(&id.span, format!("`{}` is no component id: {flaw}", id.value));
        }
        read_one(id.value, &section, directory)
    });
    read.collect()
}

/// Reads one component. What is missing or wrong stands in the report, and an empty value here.
pub(super) fn read_one<'a>(
    id: &str,
    section: &Section<'a>,
    directory: &Path,
) -> ComponentDraft<'a> {
    hide_values(section);
    section.only(KEYS);
    refuse_unsupported(section);
    check_targets(section);
    check_profiles(section);
    let source = read_source(section).unwrap_or_default();
    let hosts = section.texts("allowed_outbound_hosts");
    let variables = read_variables(section);
    let mut draft = read_component_settings(section, directory);
    draft.settings.inherited_only = InheritedOnly {
        variables: granted(section, "variables", &draft.inherited_variables, |name| {
            variables.iter().any(|(granted, _)| granted.value == name)
        }),
        allowed_outbound_hosts: granted(
            section,
            "allowed_outbound_hosts",
            &draft.inherited_hosts,
            |entry| hosts.iter().any(|granted| granted.value == entry),
        ),
    };
    let ComponentSettingsDraft { settings, database_variable, .. } = draft;
    let owned =
        |(name, value): &(Text<'_>, Text<'_>)| (name.value.to_owned(), value.value.to_owned());
    let component = Component {
        id: id.to_owned(),
        source: directory.join(source),
        description: section.string("description"),
        variables: variables.iter().map(owned).collect(),
        environment: section.text_map("environment").iter().map(owned).collect(),
        files: read_files(section, directory),
        exclude_files: section.strings("exclude_files"),
        allowed_outbound_hosts: hosts.iter().map(|host| host.value.to_owned()).collect(),
        key_value_stores: read_labels(section, "key_value_stores"),
        dependencies: Default::default(),
        build: read_build(section, directory),
        settings,
    };
    let templates = variables.into_iter().map(|(_, template)| template);
    ComponentDraft {
        component,
        dependencies: read_component_dependencies(section),
        inherit_all: section
            .flag("dependencies_inherit_configuration")
            .map(|all| (all, section.key_span("dependencies_inherit_configuration"))),
        templates: templates.chain(hosts.iter().cloned()).collect(),
        hosts,
        database_variable,
        grants: GRANTS.iter().copied().filter(|key| grants(section, key)).collect(),
    }
}

/// The entries of `inherited_only.<key>`, each of which has to be one that `<key>` itself has:
/// withholding what is not given would only look like protection.
fn granted(
    section: &Section<'_>,
    key: &str,
    entries: &[Text<'_>],
    is_granted: impl Fn(&str) -> bool,
) -> BTreeSet<String> {
    for entry in entries.iter().filter(|entry| !is_granted(entry.value)) {
        let problem =
            format!("`inherited_only` names {:?}, which `{key}` does not grant", entry.value);
        let help = format!("write it as `{key}` of the component does, or take it out");
        section.report.error_help(&entry.span, problem, help);
    }
    entries.iter().map(|entry| entry.value.to_owned()).collect()
}

/// Whether the key is there and not empty.
fn grants(section: &Section<'_>, key: &str) -> bool {
    section.value(key).is_some_and(|value| {
        let value = value.get_ref();
        let empty_list = value.as_array().is_some_and(|items| items.is_empty());
        let empty_table = value.as_table().is_some_and(|entries| entries.is_empty());
        !(empty_list || empty_table)
    })
}

/// People write secrets into environments, and into variables in place of a template.
fn hide_values(section: &Section<'_>) {
    if let Some(environment) = section.value("environment") {
        section.report.hide_values(environment);
    }
    for (_, profile) in
        section.value("profile").and_then(|p| p.get_ref().as_table()).into_iter().flatten()
    {
        if let Some(environment) = profile.get_ref().get("environment") {
            section.report.hide_values(environment);
        }
    }
    let variables = section.value("variables").and_then(|value| value.get_ref().as_table());
    for value in variables.into_iter().flat_map(|table| table.values()) {
        if !value.get_ref().as_str().is_some_and(|text| text.contains("{{")) {
            section.report.hide_values(value);
        }
    }
}

fn refuse_unsupported(section: &Section<'_>) {
    for (key, what) in [("sqlite_databases", "SQLite databases"), ("ai_models", "AI models")] {
        if grants(section, key) {
            let problem = format!("{what} (`{key}`) are not supported by Ward yet");
            section.error(&section.key_span(key), problem);
        }
    }
    if grants(section, "allowed_http_hosts") {
        let problem = "`allowed_http_hosts` is the old name, which Ward does not read";
        let help = "use `allowed_outbound_hosts`, with entries such as \"https://example.com\"";
        let span = section.key_span("allowed_http_hosts");
        section.report.error_help(&span, problem, help.to_owned());
    }
}

fn read_source<'a>(section: &Section<'a>) -> Option<&'a str> {
    let Some(value) = section.value("source") else {
        section.missing("source", "the path of a wasm file");
        return None;
    };
    if let Some(path) = value.get_ref().as_str() {
        if path.is_empty() {
            section.error(&value.span(), "`source` must not be empty");
        }
        return Some(path);
    }
    refuse_source(section, value);
    None
}

fn refuse_source(section: &Section<'_>, value: Value<'_>) {
    let table = value.get_ref().as_table();
    let has = |key: &str| table.is_some_and(|table| table.contains_key(key));
    let from = match (has("url"), has("package")) {
        (true, _) => "a URL",
        (_, true) => "a registry",
        _ => return section.wrong_type(value, "source", "the path of a wasm file"),
    };
    let problem = format!("a component from {from} is not supported by Ward yet");
    let help = "fetch the file first, and write its path: source = \"….wasm\"";
    section.report.error_help(&value.span(), problem, help.to_owned());
}

fn read_variables<'a>(section: &Section<'a>) -> Vec<(Text<'a>, Text<'a>)> {
    let variables = section.text_map("variables");
    for (name, _) in &variables {
        if let Some(flaw) = declared_variable_flaw(name.value) {
            section.error(&name.span, format!("`{}` is no variable name: {flaw}", name.value));
        }
    }
    variables
}

fn read_labels(section: &Section<'_>, key: &str) -> Vec<String> {
    let labels = section.texts(key);
    for label in &labels {
        if let Some(flaw) = label_flaw(label.value) {
            section.error(&label.span, format!("{:?} is no label: {flaw}", label.value));
        }
    }
    labels.into_iter().map(|label| label.value.to_owned()).collect()
}

fn read_files(section: &Section<'_>, directory: &Path) -> Vec<FileMount> {
    let items = section.list("files", "a list of globs and { source, destination } tables");
    items.iter().filter_map(|item| read_file(section, item, directory)).collect()
}

fn read_file<'a>(section: &Section<'a>, item: Value<'a>, directory: &Path) -> Option<FileMount> {
    if let Some(glob) = item.get_ref().as_str() {
        if let Some(flaw) = pattern_flaw(glob) {
            let help = "write a relative glob such as \"assets/**/*\", or \
                        { source = \"dir\", destination = \"/dir\" }";
            section.report.error_help(&item.span(), format!("{glob:?} {flaw}"), help.to_owned());
        }
        return Some(FileMount::Glob(glob.to_owned()));
    }
    let table = section.section_of(item, "each entry of `files`")?;
    table.only(&["source", "destination"]);
    let source = table.required_text("source");
    let destination = table.required_text("destination")?;
    if destination.value.is_empty() || climbs(destination.value) || has_nul(destination.value) {
        let problem = format!("{:?} is not a path of the guest", destination.value);
        table.report.error_help(&destination.span, problem, "write \"/dir\"".to_owned());
    }
    Some(FileMount::Directory {
        source: directory.join(source?.value),
        destination: format!("/{}", destination.value.trim_start_matches('/')),
    })
}

/// Why a text can be no pattern of the application's files, whatever files there are.
fn pattern_flaw(glob: &str) -> Option<&'static str> {
    match glob {
        "" => Some("is empty"),
        _ if has_nul(glob) => Some("has the character U+0000, which no file's name can have"),
        _ if Path::new(glob).is_absolute() => {
            Some("is an absolute path, and a pattern is of files of the application")
        }
        _ if climbs(glob) => Some("leads out of the application's directory"),
        _ if glob.rsplit('/').next() == Some(".") => {
            Some("is a whole directory, and a pattern is of files")
        }
        _ => None,
    }
}

fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

fn has_nul(path: &str) -> bool {
    path.contains('\0')
}

fn read_build(section: &Section<'_>, directory: &Path) -> Option<Build> {
    let build = section.section("build")?;
    build.only(&["command", "workdir", "watch"]);
    let workdir = build.text("workdir").map(|workdir| workdir.value);
    Some(Build {
        commands: read_commands(&build),
        workdir: workdir.map_or_else(|| directory.to_owned(), |workdir| directory.join(workdir)),
        watch: build.strings("watch"),
    })
}

/// `command`: one string, or a list of them.
fn read_commands(build: &Section<'_>) -> Vec<String> {
    match build.value("command") {
        Some(value) if value.get_ref().is_array() => build.strings("command"),
        Some(_) => build.string("command").into_iter().collect(),
        None => {
            build.missing("command", "a shell command, or a list of them");
            Vec::new()
        }
    }
}

/// `profile` is for `spin build --profile`, which Ward does not have: its shape is checked only.
fn check_profiles(section: &Section<'_>) {
    for (_, profile) in section.sections("profile") {
        profile.only(&["source", "environment", "dependencies", "build"]);
        profile.text_map("environment");
        profile.section("dependencies");
        if let Some(build) = profile.section("build") {
            build.only(&["command"]);
            read_commands(&build);
        }
    }
}
