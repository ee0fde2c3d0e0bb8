//! `ward up --watch`: a component whose sources have changed is built, and takes its own place
//! while everything serves. What does not build, or does not fit, leaves all as it was and is said.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use ward_manifest::App;

use crate::commands::build;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::releases::{Plan, Releases};

/// Between two looks. Whoever saves a file has time to save the next one.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// By component, what its sources look like from outside.
type Looks = BTreeMap<String, u64>;

/// Watches until it is dropped.
pub(crate) async fn run(releases: Arc<Releases>) {
    let app = releases.app();
    let look = || {
        let app = app.clone();
        async move { spawn_blocking(move || looks(&app)).await.unwrap_or_default() }
    };
    let mut built = look().await;
    loop {
        sleep(LOOK_EVERY).await;
        if releases.is_on_trial() {
            // What changes meanwhile is built when the trial is over.
            continue;
        }
        let now = look().await;
        if now == built {
            continue;
        }
        // The same again after a moment: nobody is in the middle of saving.
        sleep(LOOK_EVERY / 4).await;
        if now != look().await {
            continue;
        }
        let changed = now.iter().filter(|(id, look)| built.get(*id) != Some(look));
        for id in changed.map(|(id, _)| id) {
            match rebuild(id, &releases).await {
                Ok(said) => tracing::info!(component = id, "{said}"),
                Err(failure) => {
                    let problem = failure.messages().join("; ");
                    tracing::error!(component = id, problem, "what serves goes on as it is");
                }
            }
        }
        built = now;
    }
}

async fn rebuild(id: &str, releases: &Arc<Releases>) -> Result<&'static str, Failure> {
    let app = releases.app();
    let (building, component) = (app.clone(), id.to_owned());
    let built =
        spawn_blocking(move || build(&building, std::slice::from_ref(&component), Progress::Quiet));
    built.await.map_err(Failure::because("building"))??;
    let source = app.components.get(id).map(|component| component.source.clone());
    let source = source.unwrap_or_default();
    let wasm = tokio::fs::read(&source).await;
    let wasm = wasm.map_err(Failure::because(format!("reading {}", source.display())))?;
    let change = releases
        .swap(id, wasm, &Plan::at_once())
        .await
        .map_err(|refused| Failure::new(&refused))?;
    Ok(if change.is_any() { "it was built and serves" } else { "it was built and is the same" })
}

/// Of every component that says what to build and what to watch.
fn looks(app: &App) -> Looks {
    let watched = app.components.values().filter_map(|component| {
        let build = component.build.as_ref().filter(|build| !build.watch.is_empty())?;
        let root = if build.workdir.as_os_str().is_empty() { &app.root } else { &build.workdir };
        let mut hasher = DefaultHasher::new();
        for pattern in &build.watch {
            look(&root.join(pattern), &mut hasher);
        }
        Some((component.id.clone(), hasher.finish()))
    });
    watched.collect()
}

/// Names, sizes and times: what is read is for the build.
fn look(pattern: &Path, hasher: &mut DefaultHasher) {
    let paths = pattern.to_str().and_then(|pattern| glob::glob(pattern).ok());
    for path in paths.into_iter().flatten().flatten() {
        if let Ok(found) = path.metadata().map(|found| (found.len(), found.modified().ok())) {
            (path, found).hash(hasher);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_change_below_a_watched_directory_shows_for_its_component_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/src")).unwrap();
        fs::write(root.path().join("a/src/lib.rs"), "1").unwrap();
        let manifest = root.path().join("spin.toml");
        let component = |id: &str| {
            format!(
                "[[trigger.http]]\nroute = \"/{id}\"\ncomponent = \"{id}\"\n\
                 [component.{id}]\nsource = \"{id}.wasm\"\n\
                 [component.{id}.build]\ncommand = \"true\"\nwatch = [\"{id}/**/*.rs\"]\n"
            )
        };
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"x\"\n{}{}",
            component("a"),
            component("b")
        );
        fs::write(&manifest, text).unwrap();
        let app = App::load(&manifest).unwrap();
        let before = looks(&app);
        assert_eq!(looks(&app), before);
        fs::write(root.path().join("a/src/lib.rs"), "12").unwrap();
        fs::write(root.path().join("a/src/notes.txt"), "1").unwrap();
        let after = looks(&app);
        assert_ne!(after["a"], before["a"]);
        assert_eq!(after["b"], before["b"]);
    }
}
