//! The files a component may read: a snapshot taken at load, as Spin takes one, so that a change
//! to the originals shows only after a restart. The guest sees the snapshot at `/`, read only.
//!
//! What is mounted is what Spin mounts: a path that exists is meant as it stands, brackets and all,
//! a directory with everything in it, and anything else is a glob. Links are followed as long as
//! they stay inside the application (or inside a directory that the manifest names); others are
//! left out, and said. Nothing of the state directory, where passwords and keys are, is ever
//! mounted.
//!
//! This is the one place where paths out of a manifest are joined to others. It must not write
//! outside the snapshot: each path that is joined to it has passed [`inner`].

use std::fs;
use std::io;
use std::path::{Component as Part, Path, PathBuf};

use glob::{Pattern, PatternError};
use ward_manifest::FileMount;

use crate::globs;

/// The most links-out and other omissions that are named one by one.
const LEFT_OUT_SAID_MAX: usize = 5;

/// What a manifest grants of files.
pub(crate) struct Grant<'a> {
    /// The application's directory.
    pub(crate) root: &'a Path,
    /// `files`.
    pub(crate) mounts: &'a [FileMount],
    /// `exclude_files`.
    pub(crate) excluded: &'a [String],
    /// Ward's own directory, which is no part of any application.
    pub(crate) state: &'a Path,
}

/// Copies the files of `component` below `files` of the state directory and returns where the
/// guest's `/` is, or `None` when the manifest grants no files. Errors are sentences about an entry
/// of the manifest.
pub(crate) fn snapshot(grant: &Grant<'_>, component: &str) -> Result<Option<PathBuf>, String> {
    if grant.mounts.is_empty() {
        return Ok(None);
    }
    let target = grant.state.join("files").join(component);
    let excluded = grant.excluded.iter().map(|text| exclusion(text));
    let excluded = excluded.collect::<Result<_, _>>()?;
    let mut copy = Copy::new(grant, excluded, &target)
        .map_err(|error| format!("making {}: {error}", target.display()))?;
    for mount in grant.mounts {
        let (entry, copied) = match mount {
            FileMount::Glob(text) => (text.as_str(), copy.pattern(text)),
            FileMount::Directory { source, destination } => {
                let shown = source.strip_prefix(grant.root).unwrap_or(source);
                (shown.to_str().unwrap_or_default(), copy.directory(source, destination))
            }
        };
        copied.map_err(|problem| format!("`{entry}` {problem}"))?;
    }
    copy.say_what_was_left_out(component);
    Ok(Some(target))
}

/// Entries of a component's `files` and `exclude_files` that a start would refuse, as sentences
/// about them.
#[must_use]
pub fn refused(root: &Path, mounts: &[FileMount], excluded: &[String]) -> Vec<String> {
    let refused = mounts.iter().filter_map(|mount| match mount {
        FileMount::Glob(text) => {
            let is_there = root.join(inner(text).ok()?).symlink_metadata().is_ok();
            let flaw = if is_glob(text) { no_such(text) } else { Some(missing()) };
            let flaw = flaw.filter(|_| !is_there)?;
            Some(format!("`{text}` {flaw}"))
        }
        FileMount::Directory { source, .. } => {
            let shown = source.strip_prefix(root).unwrap_or(source);
            (!source.exists()).then(|| format!("`{}` {}", shown.display(), missing()))
        }
    });
    // Without a mount there is nothing to be taken out.
    let excluded = excluded.iter().filter(|_| !mounts.is_empty());
    refused.chain(excluded.filter_map(|text| exclusion(text).err())).collect()
}

/// What is wrong with an entry of `files` that is no file, and should be a glob.
fn no_such(text: &str) -> Option<String> {
    read_glob(text).err().map(|problem| format!("is no file that is there, and {problem}"))
}

/// An entry of `exclude_files`, which is a glob whatever files there are.
fn exclusion(text: &str) -> Result<Pattern, String> {
    read_glob(text).map_err(|problem| format!("`{text}` of `exclude_files` is {problem}"))
}

/// A glob, or what is wrong with it as whoever has written it sees it.
fn read_glob(text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|PatternError { pos, msg }| {
        let flaw = match msg {
            "invalid range pattern" => "its `[` is without a `]`, or with nothing in between",
            other => other,
        };
        format!("no glob: {flaw} (near character {})", pos + 1)
    })
}

/// `/mnt/data` as `mnt/data`; a path that climbs out is refused.
fn inner(path: &str) -> Result<PathBuf, String> {
    let parts = Path::new(path).components();
    let parts = parts.filter(|part| !matches!(part, Part::RootDir | Part::CurDir));
    let mut inner = PathBuf::new();
    for part in parts {
        match part {
            Part::Normal(name) => inner.push(name),
            _ => return Err("leads out of the application's directory".to_owned()),
        }
    }
    Ok(inner)
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// A snapshot in the making.
struct Copy<'a> {
    /// Without links in it, so that comparing with it means something.
    root: PathBuf,
    /// The same of the state directory.
    state: PathBuf,
    target: &'a Path,
    excluded: Vec<Pattern>,
    left_out: Vec<String>,
}

/// A file or directory to be copied.
struct Found<'f> {
    /// Where it was found.
    from: &'f Path,
    /// Where it goes, below the snapshot.
    to: &'f Path,
    /// Where it may lead besides the application.
    boundary: &'f Path,
}

impl<'a> Copy<'a> {
    fn new(grant: &Grant<'_>, excluded: Vec<Pattern>, target: &'a Path) -> io::Result<Copy<'a>> {
        if target.exists() {
            fs::remove_dir_all(target)?;
        }
        fs::create_dir_all(target)?;
        Ok(Copy {
            root: fs::canonicalize(grant.root)?,
            state: fs::canonicalize(grant.state)?,
            target,
            excluded,
            left_out: Vec::new(),
        })
    }

    /// An entry that is a text: a path, or a glob where there is no such path.
    fn pattern(&mut self, text: &str) -> Result<(), String> {
        let root = self.root.clone();
        let inside = inner(text)?;
        let literal = root.join(&inside);
        if literal.symlink_metadata().is_ok() {
            return self.copy(&Found { from: &literal, to: &inside, boundary: &root }, &mut vec![]);
        }
        if !is_glob(text) {
            return Err(missing());
        }
        no_such(text).map_or(Ok(()), Err)?;
        let found = globs::find(&root, &inside)?;
        if found.is_empty() {
            self.left_out.push(format!("{text} (there is no such file)"));
        }
        for to in &found {
            let from = root.join(to);
            // What it is in, so that a link back to that is known for one.
            let parent = from.parent().and_then(|parent| fs::canonicalize(parent).ok());
            let above = parent.iter().flat_map(|parent| parent.ancestors());
            let above = above.take_while(|it| it.starts_with(&root));
            let mut above = above.map(Path::to_owned).collect();
            self.copy(&Found { from: &from, to, boundary: &root }, &mut above)?;
        }
        Ok(())
    }

    /// An entry with `source` and `destination`. Spin allows a source outside the application.
    fn directory(&mut self, source: &Path, destination: &str) -> Result<(), String> {
        let boundary = fs::canonicalize(source).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => missing(),
            _ => format!("cannot be read: {error}"),
        })?;
        if self.is_state(&boundary) {
            return Err("is in a state directory of ward's".to_owned());
        }
        let to = inner(destination)?;
        self.copy(&Found { from: source, to: &to, boundary: &boundary }, &mut vec![])
    }

    /// Whether it is in a state directory: this run's, or that of one that used another.
    fn is_state(&self, real: &Path) -> bool {
        let is_another = |directory: &Path| {
            let has = |name: &str| directory.join(name).is_file();
            directory.ends_with(".ward") || has("lock") && has("secrets.toml")
        };
        let mut inside = real.ancestors().take_while(|directory| *directory != self.root);
        real.starts_with(&self.state) || inside.any(is_another)
    }

    /// Copies a file, or a directory with all that is in it. `above` are the directories that this
    /// one was reached through: a link to one of them leads round in a ring.
    fn copy(&mut self, found: &Found<'_>, above: &mut Vec<PathBuf>) -> Result<(), String> {
        let failed = |error: io::Error| format!("cannot be copied: {error}");
        let shown = found.to.display();
        let Ok(real) = fs::canonicalize(found.from) else {
            self.left_out.push(format!("{shown} (a link that leads nowhere)"));
            return Ok(());
        };
        if !real.starts_with(&self.root) && !real.starts_with(found.boundary) {
            self.left_out.push(format!("{shown} (a link out of the application)"));
            return Ok(());
        }
        if self.is_state(&real) || self.is_excluded(found.from, &real) {
            return Ok(());
        }
        let kind = fs::metadata(&real).map_err(failed)?;
        if kind.is_file() {
            let to = self.target.join(found.to);
            let made = to.parent().map_or(Ok(()), fs::create_dir_all);
            return made.and_then(|()| fs::copy(&real, &to)).map(drop).map_err(failed);
        }
        if !kind.is_dir() {
            self.left_out.push(format!("{shown} (neither a file nor a directory)"));
            return Ok(());
        }
        if above.contains(&real) {
            self.left_out.push(format!("{shown} (a link to a directory it is in)"));
            return Ok(());
        }
        above.push(real);
        for entry in fs::read_dir(found.from).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (from, to) = (entry.path(), found.to.join(entry.file_name()));
            self.copy(&Found { from: &from, to: &to, boundary: found.boundary }, above)?;
        }
        above.pop();
        Ok(())
    }

    /// Whether `exclude_files` names it, by the path it was found at or by where that leads.
    fn is_excluded(&self, from: &Path, real: &Path) -> bool {
        [from, real].iter().any(|path| {
            let relative = path.strip_prefix(&self.root).unwrap_or(path);
            self.excluded.iter().any(|pattern| pattern.matches_path(relative))
        })
    }

    fn say_what_was_left_out(&self, component: &str) {
        for what in self.left_out.iter().take(LEFT_OUT_SAID_MAX) {
            tracing::warn!(component, "not mounted: {what}");
        }
        let more = self.left_out.len().saturating_sub(LEFT_OUT_SAID_MAX);
        if more > 0 {
            tracing::warn!(component, "not mounted: {more} more");
        }
    }
}

fn missing() -> String {
    "is not there (if a build makes it, run `ward build` first)".to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;
    use tempfile::TempDir;
    use ward_manifest::FileMount;

    use super::{Grant, refused, snapshot};

    /// `app/` with files in it, beside `outside/` and `state/`.
    fn place(app: &str, files: &[&str]) -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let app = directory.path().join(app);
        for path in files {
            write(&app.join(path), path);
        }
        write(&directory.path().join("outside/secret.txt"), "secret");
        write(&app.join(".ward/postgres.password"), "secret");
        (directory, app)
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Files below a directory, with what is in them.
    fn tree(directory: &Path) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut open = vec![directory.to_owned()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(&next).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() && !path.is_symlink() {
                    true => open.push(path),
                    false => {
                        let name = path.strip_prefix(directory).unwrap().display().to_string();
                        found.insert(name, fs::read_to_string(&path).unwrap_or_default());
                    }
                }
            }
        }
        found
    }

    fn mount(root: &Path, app: &Path, mounts: &[FileMount]) -> Result<Vec<String>, String> {
        let state = app.join(".ward");
        let grant = Grant { root, mounts, excluded: &["**/hidden*".to_owned()], state: &state };
        let snapshot = snapshot(&grant, "web")?.unwrap();
        Ok(tree(&snapshot).into_keys().collect())
    }

    fn glob(text: &str) -> FileMount {
        FileMount::Glob(text.to_owned())
    }

    #[test]
    fn what_spin_mounts_is_mounted() {
        let files = ["assets/a.txt", "assets/deep/b.txt", "assets/hidden.txt", "pages/[id].html"];
        for app in ["app", "app [1]"] {
            let (_directory, app) = place(app, &files);
            let check = |entry: &str, expected: &[&str]| {
                assert_eq!(mount(&app, &app, &[glob(entry)]).unwrap(), expected, "{entry}");
            };
            check("assets/*", &["assets/a.txt"]);
            check("./assets/*", &["assets/a.txt"]);
            check("assets", &["assets/a.txt", "assets/deep/b.txt"]);
            check("assets/**/*", &["assets/a.txt", "assets/deep/b.txt"]);
            check("pages/[id].html", &["pages/[id].html"]);
            check("pages/*", &["pages/[id].html"]);
            check("nothing/*", &[]);
        }
    }

    #[test]
    fn the_root_may_be_written_in_any_way() {
        let (_directory, app) = place("app", &["assets/a.txt"]);
        let round = app.join("assets/../../app/.");
        assert_eq!(mount(&round, &app, &[glob("assets/*")]).unwrap(), ["assets/a.txt"]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let (_directory, app) = place("app", &["assets/a.txt"]);
        let dist = FileMount::Directory { source: app.join("dist"), destination: "/".to_owned() };
        for (entry, name) in [(glob("readme.md"), "`readme.md`"), (dist, "`dist`")] {
            let problem = mount(&app, &app, &[entry]).unwrap_err();
            assert!(problem.starts_with(name) && problem.contains("ward build"), "{problem}");
        }
        let there =
            FileMount::Directory { source: app.join("assets"), destination: "/".to_owned() };
        let dist = FileMount::Directory { source: app.join("dist"), destination: "/".to_owned() };
        let mounts = [glob("readme.md"), glob("assets"), glob("none/*"), there, dist];
        let named = refused(&app, &mounts, &["**/*.tmp".to_owned()]);
        assert_eq!(named.len(), 2, "{named:?}");
        assert!(named[0].starts_with("`readme.md`") && named[1].starts_with("`dist`"), "{named:?}");
    }

    #[test]
    fn what_is_no_pattern_is_said_in_its_authors_words() {
        let (_directory, app) = place("app", &["a.txt", "[there"]);
        let check = |text: &str, expected: &str| {
            let problem = mount(&app, &app, &[glob(text)]).unwrap_err();
            assert_eq!(problem, format!("`{text}` {expected}"));
            assert_eq!(refused(&app, &[glob(text)], &[]), [problem]);
        };
        check("%00", "is not there (if a build makes it, run `ward build` first)");
        let no_glob = "is no file that is there, and no glob:";
        let bracket = "its `[` is without a `]`, or with nothing in between";
        check("[bad", &format!("{no_glob} {bracket} (near character 1)"));
        check("ok/[]", &format!("{no_glob} {bracket} (near character 4)"));
        check(
            "a**",
            &format!(
                "{no_glob} recursive wildcards must form a single path component (near character 1)"
            ),
        );
        // What is there is meant as it stands.
        assert_eq!(mount(&app, &app, &[glob("[there")]).unwrap(), ["[there"]);
        let state = app.join(".ward");
        let excluded = ["[bad".to_owned()];
        let grant =
            Grant { root: &app, mounts: &[glob("a.txt")], excluded: &excluded, state: &state };
        let problem = snapshot(&grant, "web").unwrap_err();
        assert!(problem.starts_with("`[bad` of `exclude_files` is no glob:"), "{problem}");
        assert_eq!(refused(&app, grant.mounts, &excluded), [problem]);
    }

    #[test]
    fn links_are_followed_inside_the_application_alone() {
        let (directory, app) = place("app", &["real/a.txt", "real/hidden.txt", "assets/b.txt"]);
        let assets = app.join("assets");
        symlink("../real/a.txt", assets.join("a.txt")).unwrap();
        symlink("../real", assets.join("dir")).unwrap();
        symlink("../assets", assets.join("ring")).unwrap();
        symlink(directory.path().join("outside"), assets.join("out")).unwrap();
        symlink("../../outside/secret.txt", assets.join("secret.txt")).unwrap();
        symlink("../.ward", assets.join("state")).unwrap();
        symlink("../real/hidden.txt", assets.join("shown.txt")).unwrap();
        symlink("nowhere", assets.join("broken")).unwrap();
        let expected = ["assets/a.txt", "assets/b.txt", "assets/dir/a.txt"];
        assert_eq!(mount(&app, &app, &[glob("assets")]).unwrap(), expected);
        assert_eq!(mount(&app, &app, &[glob("assets/**/*")]).unwrap(), expected);
        // In a ring of two there are more ways round than anybody can wait for.
        symlink(".", assets.join("round")).unwrap();
        symlink("../assets", app.join("real/back")).unwrap();
        assert_eq!(mount(&app, &app, &[glob("assets/**/*")]).unwrap(), expected);
        let linked = ["dir/a.txt", "ring/a.txt", "ring/b.txt", "round/a.txt", "round/b.txt"];
        let linked = linked.map(|name| format!("assets/{name}"));
        assert_eq!(mount(&app, &app, &[glob("assets/*/*.txt")]).unwrap(), linked);
    }

    #[test]
    fn the_state_directory_is_never_mounted() {
        let (_directory, app) = place("app", &["a.txt"]);
        assert_eq!(mount(&app, &app, &[glob("**/*")]).unwrap(), ["a.txt"]);
        assert_eq!(mount(&app, &app, &[glob(".ward/postgres.password")]).unwrap(), [""; 0]);
        let state = FileMount::Directory { source: app.join(".ward"), destination: "/s".into() };
        mount(&app, &app, &[state]).unwrap_err();
        // Nor is that of a run with another one.
        let moved = app.join("data");
        fs::create_dir(&moved).unwrap();
        for name in ["lock", "secrets.toml", "key.pem"] {
            fs::write(moved.join(name), "x").unwrap();
        }
        assert_eq!(mount(&app, &app, &[glob("**/*")]).unwrap(), ["a.txt"]);
        assert_eq!(mount(&app, &app, &[glob("data/key.pem")]).unwrap(), [""; 0]);
    }

    #[test]
    fn a_source_outside_is_the_manifests_to_name() {
        let (directory, app) = place("app", &["a.txt"]);
        let source = directory.path().join("outside");
        symlink(app.join("a.txt"), source.join("in.txt")).unwrap();
        symlink("/etc/passwd", source.join("out.txt")).unwrap();
        let outside = FileMount::Directory { source, destination: "/mnt".to_owned() };
        assert_eq!(mount(&app, &app, &[outside]).unwrap(), ["mnt/in.txt", "mnt/secret.txt"]);
    }

    /// Any text made of what paths and globs are made of. A property and no target of cargo-fuzz:
    /// each try is some hundred system calls, which libFuzzer is not faster at, and with bytes for
    /// parts hardly one would name a file.
    fn entries() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just(".."),
            Just("."),
            Just("*"),
            Just("**"),
            Just("a"),
            Just("[ab]"),
            Just("outside"),
            Just("secret.txt"),
            Just("link"),
            Just(""),
            Just("?"),
            Just("web"),
            Just("state"),
        ];
        proptest::collection::vec(part, 1..7).prop_map(|parts| parts.join("/"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_entry_reads_or_writes_outside(entry in entries(), destination in entries()) {
            let (directory, app) = place("app", &["a/b", "a/web", "b"]);
            symlink("../../outside", app.join("a/link")).unwrap();
            let before = tree(&directory.path().join("outside"));
            let mounts = [
                vec![glob(&entry)],
                vec![FileMount::Directory { source: app.join("a"), destination }],
            ];
            for mounts in mounts {
                // Refused or not, it stays where it belongs.
                drop(mount(&app, &app, &mounts));
                prop_assert_eq!(&tree(&directory.path().join("outside")), &before);
                let places: Vec<_> = fs::read_dir(directory.path()).unwrap()
                    .map(|entry| entry.unwrap().file_name()).collect();
                prop_assert_eq!(places.len(), 2);
                let copied = tree(&app.join(".ward"));
                let secrets = copied.values().filter(|text| *text == "secret").count();
                prop_assert_eq!(secrets, 1, "{:?}", copied);
                let own = |name: &String| name.starts_with("files/web/") || name.contains("pass");
                prop_assert!(copied.keys().all(own), "{:?}", copied);
            }
        }
    }
}
