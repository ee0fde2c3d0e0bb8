//! The repository the tests were built from: its root, its tracked files, its built artefacts.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's working tree.
#[derive(Debug, Clone)]
pub struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The repository this test was compiled from.
    pub fn here() -> Repository {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent");
        Repository { root: root.to_path_buf() }
    }

    /// Its top directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file's text; panics where there is none.
    pub fn read(&self, path: &str) -> String {
        let file = self.root.join(path);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The application's manifest, with paths that hold wherever it is put, and without its guides,
    /// which have to be in the application's own directory. It has to have events.
    pub fn manifest_for_anywhere(&self) -> String {
        let root = self.root.display();
        let events = "[application.trigger.kafka]";
        let manifest = self.read("spin.toml");
        let lines = manifest.split_inclusive('\n').filter(|line| !line.contains("guide = \""));
        lines
            .collect::<String>()
            .replace("\"target/", &format!("\"{root}/target/"))
            .replace("\"components/", &format!("\"{root}/components/"))
            .replace(events, &format!("{events}\ncontracts = \"{root}/wit\""))
    }

    /// Paths of all files git tracks or would track, relative to the root; from a source archive
    /// without git, of all files outside `target` and hidden directories.
    pub fn files(&self) -> Vec<String> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.root)
            .output();
        let mut files = match listed {
            Ok(output) if output.status.success() => {
                let text = String::from_utf8(output.stdout).expect("paths are UTF-8");
                text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
            }
            _ => self.walk(&self.root),
        };
        files.retain(|path| self.root.join(path).is_file());
        files.sort();
        files.dedup();
        files
    }

    fn walk(&self, directory: &Path) -> Vec<String> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "target" || name == ".git" || name == ".ward" {
                continue;
            } else if path.is_dir() {
                files.extend(self.walk(&path));
            } else if let Ok(inside) = path.strip_prefix(&self.root) {
                files.push(inside.to_string_lossy().into_owned());
            }
        }
        files
    }
}

/// The built wasm file of a crate, such as `guest_hello`; panics with what to run where it is
/// missing.
pub fn wasm(name: &str) -> PathBuf {
    let file = format!("target/wasm32-wasip2/release/{name}.wasm");
    let path = Repository::here().root().join(&file);
    assert!(path.is_file(), "{file} is missing: `cargo xtask test` builds it before the tests");
    path
}
