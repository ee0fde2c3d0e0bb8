//! `ward app`: what the application consists of, as Ward understands it: its triggers, what each
//! component calls, and what it was granted. Names only, never a value. Nothing is started, and
//! nothing compiled: links are read off the built files.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;
use ward_manifest::{App, Component, KeyValueKind, Route};
use ward_runtime::{Link, LinkKind};

use crate::cli::{AppArgs, AppFormat, LogFormat, OutputArgs};
use crate::failure::Failure;
use crate::output;

/// The application, as it is shown.
#[derive(Serialize)]
struct Shown {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    components: Vec<ShownComponent>,
    /// Where key-value stores are kept, as far as the manifest says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    key_value_stores: BTreeMap<String, &'static str>,
}

#[derive(Serialize)]
struct ShownComponent {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    triggers: Vec<ShownTrigger>,
    /// `None` where the file is not there or is no component.
    links: Option<Vec<ShownLink>>,
    grants: Grants,
    inherited_only: InheritedOnly,
}

#[derive(Serialize)]
struct ShownTrigger {
    #[serde(rename = "type")]
    kind: &'static str,
    /// What it answers to.
    on: String,
    middleware: Vec<String>,
}

#[derive(Serialize)]
struct ShownLink {
    import: String,
    target: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Names of what a component may use.
#[derive(Serialize)]
struct Grants {
    variables: Vec<String>,
    allowed_outbound_hosts: Vec<String>,
    key_value_stores: Vec<String>,
    environment: Vec<String>,
    files: usize,
}

/// The part of the grants that is there for dependencies alone.
#[derive(Serialize)]
struct InheritedOnly {
    variables: Vec<String>,
    allowed_outbound_hosts: Vec<String>,
}

/// Prints it.
pub(crate) fn run(args: &AppArgs) -> Result<ExitCode, Failure> {
    crate::logging::start(&OutputArgs { quiet: true, log_format: LogFormat::Plain })?;
    let app = App::load(&args.from.from)?;
    let shown = show(&app);
    output::print(&match args.format {
        AppFormat::Table => tables(&shown),
        AppFormat::Json => {
            serde_json::to_string_pretty(&shown).map_err(Failure::because("writing JSON"))? + "\n"
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The same as JSON.
pub(crate) fn shown(app: &App) -> serde_json::Value {
    // Of texts, numbers and lists only.
    let value = serde_json::to_value(show(app));
    debug_assert!(value.is_ok(), "{value:?}");
    value.unwrap_or_default()
}

fn show(app: &App) -> Shown {
    Shown {
        name: app.name.clone(),
        version: app.version.clone(),
        components: app.components.values().map(|component| show_one(app, component)).collect(),
        key_value_stores: app.settings.key_value.iter().map(show_store).collect(),
    }
}

fn show_store((label, kind): (&String, &KeyValueKind)) -> (String, &'static str) {
    let kind = match kind {
        KeyValueKind::File => "file",
        KeyValueKind::Postgres => "postgres",
    };
    (label.clone(), kind)
}

fn show_one(app: &App, component: &Component) -> ShownComponent {
    let links = ward_runtime::links(app, &component.id).ok();
    let inherited = &component.settings.inherited_only;
    ShownComponent {
        id: component.id.clone(),
        description: component.description.clone(),
        triggers: triggers(app, component),
        links: links.map(|links| links.into_iter().map(show_link).collect()),
        grants: Grants {
            variables: component.variables.keys().cloned().collect(),
            allowed_outbound_hosts: component.allowed_outbound_hosts.clone(),
            key_value_stores: component.key_value_stores.clone(),
            environment: component.environment.keys().cloned().collect(),
            files: component.files.len(),
        },
        inherited_only: InheritedOnly {
            variables: inherited.variables.iter().cloned().collect(),
            allowed_outbound_hosts: inherited.allowed_outbound_hosts.iter().cloned().collect(),
        },
    }
}

/// What calls the component from outside.
fn triggers(app: &App, component: &Component) -> Vec<ShownTrigger> {
    let http = app.http_triggers.iter().filter(|t| t.component() == Some(component.id.as_str()));
    let http = http.map(|trigger| ShownTrigger {
        kind: "http",
        on: match &trigger.route {
            Route::Public(path) => path.clone(),
            Route::Private => "(private)".to_owned(),
        },
        middleware: trigger.middleware.iter().map(|layer| layer.name.clone()).collect(),
    });
    let grpc = app.grpc_triggers.iter().filter(|trigger| trigger.component == component.id);
    let grpc = grpc.map(|trigger| ShownTrigger {
        kind: "grpc",
        on: trigger.interface.clone(),
        middleware: Vec::new(),
    });
    let kafka = app.kafka_triggers.iter().filter(|trigger| trigger.component == component.id);
    let kafka = kafka.map(|trigger| ShownTrigger {
        kind: "kafka",
        on: format!("{} as {}: {}", trigger.topics.join(", "), trigger.group, trigger.interface),
        middleware: Vec::new(),
    });
    http.chain(grpc).chain(kafka).collect()
}

fn show_link(link: Link) -> ShownLink {
    let Link { import, target, kind } = link;
    let (kind, reason) = match kind {
        LinkKind::Live => ("live", None),
        LinkKind::Composed { reason } => ("composed", Some(reason)),
    };
    ShownLink { import, target, kind, reason }
}

fn tables(shown: &Shown) -> String {
    let version = shown.version.as_deref().unwrap_or_default();
    let title = format!("{} {version}", shown.name);
    let parts = [trigger_table(shown), link_table(shown), grant_table(shown)];
    let mut text = format!("{}\n", title.trim_end());
    for part in parts.iter().filter(|part| !part.is_empty()) {
        text.push('\n');
        text.push_str(part);
    }
    text
}

fn trigger_table(shown: &Shown) -> String {
    let rows = shown.components.iter().flat_map(|component| {
        component.triggers.iter().map(|trigger| {
            let middleware = list(&trigger.middleware);
            [component.id.clone(), trigger.kind.to_owned(), trigger.on.clone(), middleware]
        })
    });
    table(["component", "trigger", "on", "middleware"], rows.collect())
}

fn link_table(shown: &Shown) -> String {
    let rows = shown.components.iter().flat_map(|component| {
        let id = || component.id.clone();
        let unknown = [id(), "?".to_owned(), "?".to_owned(), "not built".to_owned()];
        match &component.links {
            None => vec![unknown],
            Some(links) => links
                .iter()
                .map(|link| {
                    let how = match &link.reason {
                        None => link.kind.to_owned(),
                        Some(reason) => format!("{}: {reason}", link.kind),
                    };
                    [id(), link.import.clone(), link.target.clone(), how]
                })
                .collect(),
        }
    });
    table(["component", "calls", "of", "link"], rows.collect())
}

fn grant_table(shown: &Shown) -> String {
    let rows = shown.components.iter().flat_map(|component| {
        let Grants { variables, allowed_outbound_hosts, key_value_stores, environment, files } =
            &component.grants;
        let own = |all: &[String], inherited: &[String]| {
            let mark = |name: &String| match inherited.contains(name) {
                true => format!("{name} (inherited only)"),
                false => name.clone(),
            };
            list(&all.iter().map(mark).collect::<Vec<_>>())
        };
        let kept = |label: &String| match shown.key_value_stores.get(label) {
            Some(kind) => format!("{label} ({kind})"),
            None => label.clone(),
        };
        let inherited = &component.inherited_only;
        let granted = [
            ("variables", own(variables, &inherited.variables)),
            ("hosts", own(allowed_outbound_hosts, &inherited.allowed_outbound_hosts)),
            ("stores", list(&key_value_stores.iter().map(kept).collect::<Vec<_>>())),
            ("environment", list(environment)),
            ("files", if *files == 0 { String::new() } else { format!("{files} entries") }),
        ];
        let granted = granted.into_iter().filter(|(_, names)| !names.is_empty());
        let rows = granted.map(|(what, names)| [component.id.clone(), what.to_owned(), names]);
        rows.collect::<Vec<_>>()
    });
    table(["component", "granted", "names"], rows.collect())
}

fn list(items: &[String]) -> String {
    items.join(", ")
}

/// Rows in columns as wide as they need to be; nothing for no rows.
fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head = head.map(str::to_owned);
    let all: Vec<&[String; N]> = [&head].into_iter().chain(&rows).collect();
    let mut text = String::new();
    for row in &all {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let cells = all.iter().filter_map(|row| row.get(column));
            let width = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
