//! `dependencies` of components and of triggers: every form Spin knows is read, those that name a
//! file or a component of the application are kept, the others refused.

use crate::app::Inherit;
use crate::names::{advice, kebab_flaw};
use crate::toml_file::{Section, Span, Text, Value};

/// The sets `inherit_configuration` can list.
const CAPABILITY_SETS: &[&str] = &[
    "ai_models",
    "allowed_outbound_hosts",
    "environment",
    "files",
    "key_value_stores",
    "sqlite_databases",
    "variables",
];

/// A dependency whose component, if it names one, is not looked up yet.
pub(super) struct DependencyDraft<'a> {
    pub(super) target: Provider<'a>,
    pub(super) export: Option<String>,
    /// `None` when the manifest does not say, which inherits nothing.
    pub(super) inherit: Option<Inherit>,
    pub(super) span: Span,
}

/// What provides a dependency.
pub(super) enum Provider<'a> {
    /// A wasm file, as written.
    Path(Text<'a>),
    /// A component of the application, by id.
    Component(Text<'a>),
}

/// Reads `[component.<id>.dependencies]`: import name to dependency.
pub(super) fn read_component_dependencies<'a>(
    component: &Section<'a>,
) -> Vec<(Text<'a>, DependencyDraft<'a>)> {
    let Some(section) = component.section("dependencies") else { return Vec::new() };
    let entries: Vec<_> = section.entries().collect();
    check_disjoint(&section, entries.iter().map(|(name, _)| name));
    let read = entries.into_iter().filter_map(|(name, value)| {
        check_import_name(&section, &name);
        let draft = read_dependency(&section, value, true)?;
        if draft.export.is_some() && ImportName::parse(name.value).is_some_and(|n| n.is_package()) {
            let problem = "`export` cannot be given for a whole package";
            let help = "name one interface on the left, as in \"ns:package/interface\"";
            section.report.error_help(&draft.span, problem, help.to_owned());
        }
        Some((name, draft))
    });
    read.collect()
}

/// Reads one entry of `dependencies.middleware`.
pub(super) fn read_middleware<'a>(
    section: &Section<'a>,
    value: Value<'a>,
) -> Option<DependencyDraft<'a>> {
    read_dependency(section, value, false)
}

fn read_dependency<'a>(
    section: &Section<'a>,
    value: Value<'a>,
    of_component: bool,
) -> Option<DependencyDraft<'a>> {
    let span = value.span();
    if of_component && value.get_ref().is_str() {
        refuse_remote(section, &span, "from a registry");
        return None;
    }
    let table = section.section_of(value, "a dependency")?;
    let mut known = vec!["component", "path", "inherit_configuration", "url", "digest", "version"];
    known.extend(["registry", "package"]);
    if of_component {
        known.push("export");
    }
    table.only(&known);
    let inherit = read_inherit(&table);
    let export = table.string("export");
    let target = read_target(&table)?;
    Some(DependencyDraft { target, export, inherit, span })
}

fn read_target<'a>(table: &Section<'a>) -> Option<Provider<'a>> {
    let forms = ["component", "path", "url", "version"];
    let given: Vec<&str> = forms.into_iter().filter(|form| table.has(form)).collect();
    match given.as_slice() {
        ["component"] => table.text("component").map(Provider::Component),
        ["path"] => table.text("path").map(Provider::Path),
        ["url"] => {
            refuse_remote(table, &table.key_span("url"), "from a URL");
            None
        }
        ["version"] => {
            refuse_remote(table, &table.key_span("version"), "from a registry");
            None
        }
        [] => {
            let help = "name what provides it: { component = \"<id>\" } or { path = \"….wasm\" }";
            let problem = "a dependency that names nothing";
            table.report.error_help(&table.span, problem, help.to_owned());
            None
        }
        several => {
            let problem = format!("a dependency is one of these, not {}", several.join(" and "));
            table.error(&table.span, problem);
            None
        }
    }
}

fn refuse_remote(section: &Section<'_>, span: &Span, from: &str) {
    let problem = format!("a dependency {from} is not supported by Ward yet");
    let help = "fetch the file first, and use { path = \"….wasm\" }";
    section.report.error_help(span, problem, help.to_owned());
}

fn read_inherit(table: &Section<'_>) -> Option<Inherit> {
    let value = table.value("inherit_configuration")?;
    if let Some(all) = value.get_ref().as_bool() {
        return Some(if all { Inherit::All } else { Inherit::Only(Vec::new()) });
    }
    if !value.get_ref().is_array() {
        table.wrong_type(value, "inherit_configuration", "true, false or a list of sets");
        return None;
    }
    let sets = table.texts("inherit_configuration");
    for set in sets.iter().filter(|set| !CAPABILITY_SETS.contains(&set.value)) {
        let problem = format!("`{}` is nothing that can be inherited", set.value);
        table.report.error_help(
            &set.span,
            problem,
            advice(set.value, CAPABILITY_SETS.iter().copied()),
        );
    }
    Some(Inherit::Only(sets.into_iter().map(|set| set.value.to_owned()).collect()))
}

/// The left side of a component dependency, parted.
struct ImportName<'n> {
    /// `ns:package`; `None` for a plain name.
    package: Option<&'n str>,
    interface: Option<&'n str>,
    version: Option<&'n str>,
}

impl<'n> ImportName<'n> {
    /// `None` when the name has none of the forms Spin knows.
    fn parse(name: &'n str) -> Option<ImportName<'n>> {
        if !name.contains([':', '/']) {
            kebab_flaw(name).is_none().then_some(())?;
            return Some(ImportName { package: None, interface: None, version: None });
        }
        let (path, version) = split(name, '@');
        let (package, interface) = split(path, '/');
        let (namespace, rest) = package.split_once(':')?;
        let words = [Some(namespace), Some(rest), interface];
        let flawless = words.into_iter().flatten().all(|word| kebab_flaw(word).is_none());
        let versioned = version.is_none_or(is_version);
        let package = Some(package);
        (flawless && versioned).then_some(ImportName { package, interface, version })
    }

    fn is_package(&self) -> bool {
        self.package.is_some() && self.interface.is_none()
    }

    /// Whether one import could be meant by both, as Spin decides it.
    fn overlaps(&self, other: &ImportName<'_>) -> bool {
        let different =
            |a: Option<&str>, b: Option<&str>| matches!((a, b), (Some(a), Some(b)) if a != b);
        self.package.is_some()
            && self.package == other.package
            && !different(self.version.map(compatible), other.version.map(compatible))
            && !different(self.interface, other.interface)
    }
}

/// Whether `name` names one interface: `ns:package/interface`, with or without a version.
pub(super) fn is_interface_name(name: &str) -> bool {
    ImportName::parse(name).is_some_and(|name| name.interface.is_some())
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Three numbers, and perhaps a pre-release or build part.
fn is_version(version: &str) -> bool {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    let number = |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    numbers.len() == 3 && numbers.iter().all(number)
}

/// The part of a version that must be equal for two versions to be compatible.
fn compatible(version: &str) -> &str {
    let version = version.split('+').next().unwrap_or_default();
    let kept = match version.split('.').collect::<Vec<_>>().as_slice() {
        _ if version.contains('-') => return version,
        ["0", "0", _] => return version,
        ["0", minor, _] => 2 + minor.len(),
        [major, ..] => major.len(),
        [] => 0,
    };
    version.get(..kept).unwrap_or(version)
}

fn check_import_name(section: &Section<'_>, name: &Text<'_>) {
    if ImportName::parse(name.value).is_none() {
        let problem = format!("{:?} is not the name of an import", name.value);
        let help = "write \"ns:package/interface\", \"ns:package\", either with \"@1.2.3\", or a \
                    plain kebab-case name";
        section.report.error_help(&name.span, problem, help.to_owned());
    }
}

fn check_disjoint<'t, 'a: 't>(section: &Section<'_>, names: impl Iterator<Item = &'t Text<'a>>) {
    let mut earlier: Vec<(&str, ImportName<'_>)> = Vec::new();
    for name in names {
        let Some(import) = ImportName::parse(name.value) else { continue };
        if let Some((other, _)) = earlier.iter().find(|(_, other)| other.overlaps(&import)) {
            let problem = format!("{:?} and {other:?} could mean the same import", name.value);
            section.error(&name.span, problem);
        }
        earlier.push((name.value, import));
    }
}
