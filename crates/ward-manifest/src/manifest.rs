//! `spin.toml`: from the file to a checked [`App`]. Reading has two steps. First each table is
//! read on its own (the modules below), into the types of `app` or, where something points
//! elsewhere, into drafts. Then `links` settles what points where. Both only gather findings;
//! the `App` is handed out when there are none.

mod application;
mod component;
mod dependency;
mod grpc;
mod kafka;
mod links;
mod rings;
mod start;
mod tool;
mod trigger;
mod users;
mod variables;

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::app::App;
use crate::finding::{Finding, Findings};
use crate::toml_file::{Report, Section, syntax_finding};

/// The name of the file in an application's directory.
const FILE_NAME: &str = "spin.toml";

const KEYS: &[&str] =
    &["spin_manifest_version", "application", "variables", "trigger", "component"];

impl App {
    /// Reads and checks a manifest: the path of `spin.toml`, or of its directory. Everything that
    /// is wrong is in the findings, in the order of the file.
    pub fn load(path: &Path) -> Result<App, Findings> {
        let file = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
        let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
        App::read(&file, &text)
    }

    /// Like [`App::load`], from text; `file` is what findings call it, and its directory is where
    /// relative paths start.
    pub fn read(file: &Path, text: &str) -> Result<App, Findings> {
        let (root, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let findings = errors.iter().map(|error| syntax_finding(file, text, error));
            return Err(Findings(findings.collect()));
        }
        let report = Report::new(file, text);
        let app = read_root(&Section::new(&report, 0..0, root.get_ref()), file);
        let clean = report.is_clean();
        let (errors, warnings) = report.finish();
        match app {
            Some(app) if clean => Ok(App { warnings, ..app }),
            _ => Err(Findings(errors)),
        }
    }
}

fn unreadable(file: &Path, error: &std::io::Error) -> Findings {
    let help = match error.kind() {
        std::io::ErrorKind::NotFound => "name the manifest, or its directory, with --from",
        std::io::ErrorKind::InvalidData => "a manifest is text in UTF-8",
        _ => "check that Ward may read the file",
    };
    let problem = format!("the manifest cannot be read ({})", error.kind());
    Finding::about_file(file, problem).with_help(help).into()
}

/// Reads everything; `None` only together with an error in the report.
fn read_root(root: &Section<'_>, file: &Path) -> Option<App> {
    root.only(KEYS);
    check_version(root);
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.map_or_else(|| PathBuf::from("."), Path::to_owned);
    let application = application::read(root, &directory);
    let variables = variables::read(root);
    let components = component::read_all(root, &directory);
    let triggers = trigger::read_all(root, &directory);
    let grpc = grpc::read(root, &directory);
    let kafka = kafka::read(root, &directory);
    links::settle(links::Parts {
        report: root.report,
        file,
        directory,
        application,
        variables,
        components,
        triggers,
        grpc,
        kafka,
    })
}

fn check_version(root: &Section<'_>) {
    const HELP: &str = "write `spin_manifest_version = 2`";
    if !root.has("spin_manifest_version") {
        let problem = "`spin_manifest_version` is missing";
        root.report.error_help(&root.span, problem, HELP.to_owned());
    } else if let Some((version, span)) = root.integer("spin_manifest_version")
        && version != 2
    {
        let problem = format!("manifest version {version} is not one Ward reads");
        root.report.error_help(&span, problem, HELP.to_owned());
    }
}
