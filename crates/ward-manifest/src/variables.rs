//! The resolver: which value each application variable has, and what a component sees of it.
//! Everything is read once, when it is built; after that it is plain memory. Values never appear
//! in its errors or its `Debug`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use crate::app::{App, SourcePosition};
use crate::finding::{Finding, Findings};
use crate::hosts::AllowedHosts;
use crate::names::{advice, variable_name_flaw};
use crate::runtime_config::{RuntimeConfig, VariablesProvider};
use crate::template::Template;

/// Spin's prefix for variables that come from the environment.
const ENVIRONMENT_PREFIX: &str = "SPIN_VARIABLE";

/// The values of an application's variables, and each component's templates over them.
#[derive(Clone)]
pub struct Variables {
    values: BTreeMap<String, Value>,
    components: BTreeMap<String, BTreeMap<String, Template>>,
    warnings: Vec<Finding>,
}

#[derive(Clone)]
struct Value {
    text: String,
    source: Source,
}

/// Where the value of a variable came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `--variable`, or Ward itself.
    Override,
    /// A `[[variables_provider]]` of the runtime configuration, counted from 0.
    Provider(usize),
    /// `SPIN_VARIABLE_<NAME>` in the environment or in the `.env` file.
    Environment,
    /// `default` in the manifest.
    Default,
}

/// Why a variable has no value. The texts name variables, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// The name breaks the rule for names.
    #[error("invalid variable name: {0}")]
    InvalidName(String),
    /// The component has no such variable.
    #[error("undefined variable: {0}")]
    Undefined(String),
    /// A provider could not answer.
    #[error("variables provider: {0}")]
    Provider(String),
    /// A template that cannot be filled in.
    #[error("{0}")]
    Other(String),
}

impl Variables {
    /// Resolves every variable of `app`. The first that has a value wins: `overrides`
    /// (`--variable`, then what Ward provides), the providers of `config` in their order,
    /// `SPIN_VARIABLE_<NAME>` in `environment` and then in the `.env` file, the default.
    /// Every required variable without a value is a finding, and so is a value that is none of
    /// those which `one_of` lists, and a provider that cannot be read. A value for a variable that
    /// does not exist is a warning, as Spin lets it pass, and so is a provider's file that is not
    /// there, or has none of them; they become findings beside others, since they may be the cause
    /// of them.
    pub fn new(
        app: &App,
        overrides: BTreeMap<String, String>,
        config: &RuntimeConfig,
        environment: &BTreeMap<String, String>,
    ) -> Result<Variables, Findings> {
        let mut findings = Vec::new();
        let mut warnings = unknown_overrides(app, &overrides);
        warnings.extend(config.variables_providers.iter().filter_map(missing_file));
        let mut layers = vec![Layer::new(Source::Override, None, overrides)];
        for (index, provider) in config.variables_providers.iter().enumerate() {
            let source = Source::Provider(index);
            match Layer::of_provider(source, provider, environment) {
                Ok(layer) => {
                    warnings.extend(idle_file(app, provider, &layer));
                    layers.push(layer);
                }
                Err(finding) => findings.push(finding),
            }
        }
        match Layer::of_environment(environment, config.dotenv_path.as_deref()) {
            Ok(layer) => layers.push(layer),
            Err(finding) => findings.push(finding),
        }
        let mut values = BTreeMap::new();
        for (name, variable) in &app.variables {
            let found = layers.iter().find_map(|layer| layer.get(name));
            let default = || {
                let text = variable.default.clone()?;
                Some(Value { text, source: Source::Default })
            };
            match found.or_else(default) {
                Some(value) => {
                    findings.extend(not_listed(app, name, &value));
                    values.insert(name.clone(), value);
                }
                None => findings.push(missing(app, name)),
            }
        }
        if !findings.is_empty() {
            return Err(Findings(warnings.into_iter().chain(findings).collect()));
        }
        Ok(Variables { values, components: component_templates(app), warnings })
    }

    /// What the component sees under `name`.
    pub fn get(&self, component: &str, name: &str) -> Result<String, VariableError> {
        if let Some(flaw) = variable_name_flaw(name) {
            return Err(VariableError::InvalidName(format!("{name:?}: {flaw}")));
        }
        let template = self
            .components
            .get(component)
            .and_then(|templates| templates.get(name))
            .ok_or_else(|| VariableError::Undefined(format!("no variable `{name}`")))?;
        template.expand(|name| self.value(name))
    }

    /// The names the component may ask for, in order.
    pub fn names(&self, component: &str) -> impl Iterator<Item = &str> {
        let names = self.components.get(component).map(BTreeMap::keys);
        names.into_iter().flatten().map(String::as_str)
    }

    /// Fills in a template over the application's variables.
    pub fn expand(&self, template: &str) -> Result<String, VariableError> {
        let parsed = Template::parse(template)
            .map_err(|_| VariableError::Other("invalid template: a `{{` has no `}}`".to_owned()))?;
        parsed.expand(|name| self.value(name))
    }

    /// A component's `allowed_outbound_hosts`, but for those of `withheld`, with the variables
    /// filled in. A host that came to be wrong through a value is a finding at its entry, without
    /// the value.
    pub fn allowed_hosts(
        &self,
        app: &App,
        component: &str,
        withheld: &BTreeSet<String>,
    ) -> Result<AllowedHosts, Findings> {
        let Some(found) = app.components.get(component) else { return Ok(AllowedHosts::default()) };
        let places = app.origin.hosts.get(component);
        let finding = |index: usize, problem: String, help: String| {
            let place = places.and_then(|places| places.get(index)).cloned().unwrap_or_default();
            let SourcePosition { line, column, excerpt } = place;
            let file = app.origin.file.clone();
            Finding { file, line, column, excerpt, problem, help: Some(help) }
        };
        let (mut entries, mut indexes) = (Vec::new(), Vec::new());
        let granted = found.allowed_outbound_hosts.iter().enumerate();
        for (index, template) in granted.filter(|(_, entry)| !withheld.contains(*entry)) {
            let help = || "name variables of [variables] only".to_owned();
            let expanded = self.expand(template);
            let expanded = expanded.map_err(|e| finding(index, e.to_string(), help()))?;
            for host in each_host(&expanded) {
                entries.push(host);
                indexes.push(index);
            }
        }
        AllowedHosts::parse(&entries).map_err(|errors| {
            let findings = errors.into_iter().map(|error| {
                let problem = "with the values of its variables, this is no allowed host";
                let index = indexes.get(error.index).copied().unwrap_or(error.index);
                finding(index, problem.to_owned(), error.help)
            });
            Findings(findings.collect())
        })
    }

    /// What is odd but did not stop the resolver: values for variables that do not exist, and files
    /// without any for those that do.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The value of an application variable.
    pub fn app_value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.text.as_str())
    }

    /// Where the value of an application variable came from.
    pub fn source(&self, name: &str) -> Option<Source> {
        self.values.get(name).map(|value| value.source.clone())
    }

    fn value(&self, name: &str) -> Result<String, VariableError> {
        self.app_value(name).map(str::to_owned).ok_or_else(|| {
            VariableError::Other(format!("invalid template: there is no variable `{name}`"))
        })
    }
}

/// A variable may hold several hosts, as that of `database_host` does where a database has
/// replicas: `a:1,b:2` after the scheme is an entry for each.
fn each_host(entry: &str) -> Vec<String> {
    match entry.split_once("://") {
        Some((scheme, hosts)) if hosts.contains(',') => {
            hosts.split(',').map(|host| format!("{scheme}://{host}")).collect()
        }
        _ => vec![entry.to_owned()],
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.values.iter().map(|(name, value)| (name, &value.source));
        f.debug_map().entries(sources).finish()
    }
}

/// One place values come from.
struct Layer {
    source: Source,
    /// What stands before `_` and the upper-cased name; `None` when names are as in the manifest.
    prefix: Option<String>,
    values: BTreeMap<String, String>,
}

impl Layer {
    fn new(source: Source, prefix: Option<&str>, values: BTreeMap<String, String>) -> Layer {
        Layer { source, prefix: prefix.map(str::to_owned), values }
    }

    fn of_provider(
        source: Source,
        provider: &VariablesProvider,
        environment: &BTreeMap<String, String>,
    ) -> Result<Layer, Finding> {
        match provider {
            VariablesProvider::Static { values } => Ok(Layer::new(source, None, values.clone())),
            VariablesProvider::Env { prefix, dotenv_path } => {
                let prefix = prefix.as_deref().unwrap_or(ENVIRONMENT_PREFIX);
                let values = with_dotenv(environment, dotenv_path.as_deref())?;
                Ok(Layer::new(source, Some(prefix), values))
            }
        }
    }

    fn of_environment(
        environment: &BTreeMap<String, String>,
        dotenv_path: Option<&Path>,
    ) -> Result<Layer, Finding> {
        let values = with_dotenv(environment, dotenv_path)?;
        Ok(Layer::new(Source::Environment, Some(ENVIRONMENT_PREFIX), values))
    }

    /// What the variable is called here.
    fn key(&self, name: &str) -> String {
        match &self.prefix {
            None => name.to_owned(),
            Some(prefix) => format!("{prefix}_{}", name.to_ascii_uppercase()),
        }
    }

    fn get(&self, name: &str) -> Option<Value> {
        let text = self.values.get(&self.key(name))?.clone();
        Some(Value { text, source: self.source.clone() })
    }
}

/// The environment over what the `.env` file has. A missing file is no error, as in Spin.
fn with_dotenv(
    environment: &BTreeMap<String, String>,
    path: Option<&Path>,
) -> Result<BTreeMap<String, String>, Finding> {
    let mut values = BTreeMap::new();
    if let Some(path) = path.filter(|path| path.exists()) {
        // The library's error shows the line it could not read, which may hold a secret.
        let unreadable = |_| {
            Finding::about_file(path, "this .env file cannot be read")
                .with_help("write one NAME=value on each line; quote values with blanks")
        };
        for entry in dotenvy::from_path_iter(path).map_err(unreadable)? {
            let (name, value) = entry.map_err(unreadable)?;
            values.insert(name, value);
        }
    }
    let own = environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    values.extend(own);
    Ok(values)
}

fn component_templates(app: &App) -> BTreeMap<String, BTreeMap<String, Template>> {
    let templates = |variables: &BTreeMap<String, String>| {
        variables
            .iter()
            .filter_map(|(name, text)| Some((name.clone(), Template::parse(text).ok()?)))
            .collect()
    };
    let components = app.components.iter();
    components.map(|(id, component)| (id.clone(), templates(&component.variables))).collect()
}

fn unknown_overrides(app: &App, overrides: &BTreeMap<String, String>) -> Vec<Finding> {
    let unknown = overrides.keys().filter(|name| !app.variables.contains_key(*name));
    unknown
        .map(|name| {
            let problem = format!("a value was given for `{name}`, but there is no such variable");
            let declared = app.variables.keys().map(String::as_str);
            Finding {
                help: advice(name, declared),
                ..Finding::about_file(app.origin.file.clone(), problem)
            }
        })
        .collect()
}

/// What is to be said of a provider whose `.env` file is not there.
fn missing_file(provider: &VariablesProvider) -> Option<Finding> {
    let VariablesProvider::Env { dotenv_path: Some(path), .. } = provider else { return None };
    let help = "correct `dotenv_path` in the runtime configuration, or write the file; until then \
                the provider has only the environment";
    let finding = || Finding::about_file(path, "there is no such .env file").with_help(help);
    (!path.exists()).then(finding)
}

/// What is to be said of a provider whose `.env` file is there and gives nothing to anybody: its
/// lines have other names than it is looked for.
fn idle_file(app: &App, provider: &VariablesProvider, layer: &Layer) -> Option<Finding> {
    let VariablesProvider::Env { dotenv_path: Some(path), .. } = provider else { return None };
    let some = app.variables.keys().next().filter(|_| path.exists())?;
    if app.variables.keys().any(|name| layer.get(name).is_some()) {
        return None;
    }
    let help = format!(
        "a line is looked for by `prefix`, `_` and the variable's name in capitals, such as {}=…",
        layer.key(some)
    );
    let problem = "this .env file has none of the application's variables";
    Some(Finding::about_file(path, problem).with_help(help))
}

fn missing(app: &App, name: &str) -> Finding {
    let help = format!(
        "give it with --variable {name}=VALUE, with {ENVIRONMENT_PREFIX}_{} in the environment, \
         or in a [[variables_provider]] of the runtime configuration",
        name.to_ascii_uppercase()
    );
    declared(app, name, format!("the required variable `{name}` has no value"), help)
}

/// What is wrong with a value that the manifest does not list among those that may be. It may be
/// a secret that was given to the wrong variable, and is not shown; of one that differs in case and
/// blanks only it is said which is meant.
fn not_listed(app: &App, name: &str, Value { text, source }: &Value) -> Option<Finding> {
    let listed = app.settings.one_of.get(name)?;
    if listed.iter().any(|one| one == text) {
        return None;
    }
    let given = match source {
        Source::Override => "from --variable".to_owned(),
        Source::Provider(index) => format!("from [[variables_provider]] number {}", index + 1),
        Source::Environment => {
            let key = name.to_ascii_uppercase();
            format!("from {ENVIRONMENT_PREFIX}_{key} in the environment or the .env file")
        }
        Source::Default => "its default".to_owned(),
    };
    let problem = format!("the value of `{name}` ({given}) is none that it may have");
    let near = |one: &&String| !one.is_empty() && one.eq_ignore_ascii_case(text.trim());
    let near = listed.iter().find(near).map(|one| format!("write {one}, exactly so; "));
    let help = format!("{}it is one of {}", near.unwrap_or_default(), listed.join(", "));
    Some(declared(app, name, problem, help))
}

/// A finding where the variable is declared.
fn declared(app: &App, name: &str, problem: String, help: String) -> Finding {
    let place = app.origin.variables.get(name).cloned().unwrap_or_default();
    let SourcePosition { line, column, excerpt } = place;
    let file = app.origin.file.clone();
    Finding { file, line, column, excerpt, problem, help: Some(help) }
}
