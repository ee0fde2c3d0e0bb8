//! `[application]`: what the application is called, and Ward's own settings for it.

use std::path::Path;

use crate::toml_file::{Section, Text, Value};

use super::tool::{SettingsDraft, read_application_settings};

/// `[application]`, with the references in its settings still open.
#[derive(Default)]
pub(super) struct Application<'a> {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) description: Option<String>,
    pub(super) settings: SettingsDraft<'a>,
}

const KEYS: &[&str] = &["name", "version", "description", "authors", "targets", "trigger", "tool"];

/// Reads the table. What is missing or wrong stands in the report, and an empty value here, so
/// that the rest of the manifest is checked all the same.
pub(super) fn read<'a>(root: &Section<'a>, directory: &Path) -> Application<'a> {
    if !root.has("application") {
        let help = "add a table [application] with the name of the application";
        root.report.error_help(&root.span, "`[application]` is missing", help.to_owned());
    }
    let Some(section) = root.section("application") else { return Application::default() };
    section.only(KEYS);
    let name = section.required_text("name");
    if let Some(name) = name.as_ref().filter(|name| name.value.trim().is_empty()) {
        section.error(&name.span, "the name of an application must not be empty");
    }
    section.texts("authors");
    check_targets(&section);
    check_trigger_settings(&section);
    Application {
        version: section.string("version"),
        description: section.string("description"),
        settings: read_application_settings(&section, directory),
        name: name.map(|name| name.value.to_owned()).unwrap_or_default(),
    }
}

/// `targets` only matter to `spin build`; their shape is checked, and nothing else.
pub(super) fn check_targets(section: &Section<'_>) {
    for item in section.list("targets", "a list of environments") {
        if item.get_ref().is_str() {
            continue;
        }
        let Some(target) = section.section_of(item, "each entry of `targets`") else { continue };
        target.only(&["url", "path"]);
        target.text("url");
        target.text("path");
        if target.has("url") == target.has("path") {
            target.error(&target.span, "a target is a name, { url = … } or { path = … }");
        }
    }
}

/// `[application.trigger.<type>]`: that of http has but one old key.
fn check_trigger_settings(section: &Section<'_>) {
    for (kind, settings) in section.sections("trigger") {
        match kind.value {
            "http" => {}
            // Each is read by the module of its name.
            "grpc" | "kafka" => continue,
            _ => {
                refuse_trigger_type(&settings, &kind);
                continue;
            }
        }
        settings.only(&["base"]);
        if let Some(base) = settings.text("base").filter(|base| base.value != "/") {
            let help = "leave it out, and write the whole path in each `route`";
            let problem = format!("`base` can only be \"/\", and this is {:?}", base.value);
            settings.report.error_help(&base.span, problem, help.to_owned());
        }
    }
}

/// Reports that this Ward does not serve a trigger type.
pub(super) fn refuse_trigger_type(section: &Section<'_>, kind: &Text<'_>) {
    let problem = format!("triggers of type `{}` are not supported yet", kind.value);
    let help = "this Ward serves `http`, `grpc` and `kafka` triggers";
    section.report.error_help(&kind.span, problem, help.to_owned());
}

/// Checks that every table under `tool` is one; only `ward`'s is read.
pub(super) fn tool_ward<'a>(section: &Section<'a>) -> Option<Section<'a>> {
    let tools = section.section("tool")?;
    for (name, value) in tools.entries() {
        expect_table(&tools, &name, value);
    }
    tools.value("ward").filter(|ward| ward.get_ref().is_table())?;
    tools.section("ward")
}

fn expect_table(tools: &Section<'_>, name: &Text<'_>, value: Value<'_>) {
    if !value.get_ref().is_table() {
        tools.wrong_type(value, &format!("`tool.{}`", name.value), "a table");
    }
}
