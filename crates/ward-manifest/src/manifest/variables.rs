//! `[variables]`: what the application can be told when it starts.

use crate::app::Variable;
use crate::names::declared_variable_flaw;
use crate::toml_file::{Section, Text};

const KEYS: &[&str] = &["description", "required", "default", "secret"];

/// Reads every variable, those with errors included, so that uses of them are not errors too.
pub(super) fn read<'a>(root: &Section<'a>) -> Vec<(Text<'a>, Variable)> {
    let sections = root.sections("variables");
    sections.into_iter().map(|(name, section)| (name.clone(), read_one(&name, &section))).collect()
}

fn read_one(name: &Text<'_>, section: &Section<'_>) -> Variable {
    hide_secret(section);
    section.only(KEYS);
    if let Some(flaw) = declared_variable_flaw(name.value) {
        section.error(&name.span, format!("`{}` is no variable name: {flaw}", name.value));
    }
    let required = section.flag("required").unwrap_or(false);
    if required == section.has("default") {
        let problem = if required {
            format!("the variable `{}` is required and has a default", name.value)
        } else {
            format!("the variable `{}` is neither required nor has a default", name.value)
        };
        let help = "give it either `required = true` or a `default`";
        section.report.error_help(&name.span, problem, help.to_owned());
    }
    Variable {
        description: section.string("description"),
        default: section.string("default"),
        secret: section.flag("secret").unwrap_or(false),
    }
}

/// Hides the default unless it is plainly no secret: a misspelt `secret` must not show it either.
fn hide_secret(section: &Section<'_>) {
    let not_secret = section.value("secret").is_none_or(|s| s.get_ref().as_bool() == Some(false));
    let all_known = section.entries().all(|(key, _)| KEYS.contains(&key.value));
    if let Some(default) = section.value("default")
        && !(not_secret && all_known)
    {
        section.report.hide_values(default);
    }
}
