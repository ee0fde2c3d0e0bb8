//! What a command works on: the manifest, the runtime configuration, and what was given on the
//! command line and in the environment, read once and checked together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ward_manifest::{
    App, Database, KafkaSettings, RuntimeConfig, Source, Variables, read_overrides,
};

use crate::cli::{ConfigArgs, FromArgs};
use crate::failure::Failure;

/// What the runtime configuration beside a manifest is called.
const RUNTIME_CONFIG: &str = "runtime-config.toml";

/// The application and everything that configures it.
pub(crate) struct Application {
    pub(crate) app: App,
    pub(crate) config: RuntimeConfig,
    /// Absolute.
    pub(crate) state: PathBuf,
    overrides: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

impl Application {
    /// Reads it all; everything that is wrong with the manifest is reported at once.
    pub(crate) fn load(from: &FromArgs, config: &ConfigArgs) -> Result<Self, Failure> {
        Self::load_from(&from.from, config)
    }

    /// The same from a path.
    pub(crate) fn load_from(from: &Path, config: &ConfigArgs) -> Result<Self, Failure> {
        let app = App::load(from)?;
        let mut overrides = read_overrides(&config.variables)
            .map_err(|error| Failure::new(format!("--variable: {error}")))?;
        if let Some(brokers) = &config.brokers {
            overrides.insert(broker_variable(&app)?, brokers.clone());
        }
        let runtime_config = match runtime_config_file(&app, config) {
            Some(path) => RuntimeConfig::load(&path)?,
            None => RuntimeConfig::default(),
        };
        for warning in &runtime_config.warnings {
            tracing::warn!("{warning}");
        }
        let state = absolute(&state_dir(&app, config, runtime_config.state_dir.clone()))?;
        // Names and values that are not Unicode cannot be variables of the application.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Self { app, config: runtime_config, state, overrides, environment })
    }

    /// The databases of all services, in the order of their names.
    pub(crate) fn databases(&self) -> Vec<&Database> {
        let databases: BTreeMap<_, _> = self
            .app
            .components
            .values()
            .filter_map(|component| component.settings.database.as_ref())
            .map(|database| (database.name.as_str(), database))
            .collect();
        databases.into_values().collect()
    }

    /// Which of these variables the user has given a value, by whatever way there is. Variables
    /// that nobody gives, and that are not in `names`, are reported here already, before anything
    /// has been started; and so is what is odd.
    pub(crate) fn given(&self, names: &BTreeSet<String>) -> Result<BTreeSet<String>, Failure> {
        let variables = self.early(names)?;
        for warning in variables.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(names.iter().filter(|name| is_given(&variables, name)).cloned().collect())
    }

    /// The variables as they are before anything was started, when these may have no value yet.
    pub(crate) fn early(&self, names: &BTreeSet<String>) -> Result<Variables, Failure> {
        self.variables(&self.nothing(names))
    }

    /// Stands in the place of what these variables may not have yet. What has a default has a
    /// value already, which may be one of few.
    pub(crate) fn nothing(&self, names: &BTreeSet<String>) -> BTreeMap<String, String> {
        let has_default = |name: &&String| {
            self.app.variables.get(*name).is_some_and(|variable| variable.default.is_some())
        };
        let missing = names.iter().filter(|name| !has_default(name));
        missing.map(|name| (name.clone(), String::new())).collect()
    }

    /// Resolves the variables. What ward itself provides stands in the place of the manifest's
    /// defaults, so that everything the user gives wins over it.
    pub(crate) fn variables(
        &self,
        provided: &BTreeMap<String, String>,
    ) -> Result<Variables, Failure> {
        let mut app = self.app.clone();
        for (name, value) in provided {
            if let Some(variable) = app.variables.get_mut(name) {
                variable.default = Some(value.clone());
            }
        }
        Ok(Variables::new(&app, self.overrides.clone(), &self.config, &self.environment)?)
    }
}

/// Whether the user has given a variable its value.
pub(crate) fn is_given(variables: &Variables, name: &str) -> bool {
    variables.source(name).is_some_and(|source| source != Source::Default)
}

/// Where state is kept: as it is said on the command line, or in the runtime configuration, or
/// beside the manifest.
pub(crate) fn state_dir(app: &App, config: &ConfigArgs, configured: Option<PathBuf>) -> PathBuf {
    config.state_dir.clone().or(configured).unwrap_or_else(|| app.root.join(".ward"))
}

/// The runtime configuration: the file that was named, or the one beside the manifest.
pub(crate) fn runtime_config_file(app: &App, config: &ConfigArgs) -> Option<PathBuf> {
    let beside = || Some(app.root.join(RUNTIME_CONFIG)).filter(|path| path.is_file());
    config.runtime_config_file.clone().or_else(beside)
}

/// The variable that `--kafka-brokers` gives a value.
fn broker_variable(app: &App) -> Result<String, Failure> {
    app.kafka.as_ref().and_then(KafkaSettings::broker_variable).ok_or_else(|| {
        Failure::new("--kafka-brokers: the application has no variable for the address of a broker")
            .help("write brokers = \"{{ NAME }}\" in [application.trigger.kafka], and declare NAME")
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(Failure::because(path.display()))
}
