//! Compiled components on disk, named by what they were made from: the hash of the wasm bytes and
//! of everything in the engine that decides the machine code. A second start maps the file and
//! compiles nothing. The cache never decides correctness: a file that is missing, made by another
//! engine, or not what its digest beside it says (a disk forgets, a machine loses its power) is
//! made again.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::artifact::hex;

/// A directory of compiled components.
pub(crate) struct CompileCache {
    directory: PathBuf,
    /// What was asked for since it was opened.
    used: Mutex<BTreeSet<PathBuf>>,
}

/// Hexadecimal digits by which people and records tell one build of a component from another.
const REVISION_DIGITS: usize = 16;

/// What files there end in: machine code, its digest, and the component.
const KINDS: [&str; 3] = ["cwasm", "sha256", "wasm"];

/// A compiled component, and whether the cache had it.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) cached: bool,
    /// The beginning of the SHA-256 of the wasm bytes.
    pub(crate) revision: Arc<str>,
}

impl CompileCache {
    /// Opens the cache, making the directory readable by its owner alone: whoever can write there
    /// decides what machine code runs.
    pub(crate) fn open(directory: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(directory)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        }
        Ok(Self { directory: directory.to_owned(), used: Mutex::default() })
    }

    /// Removes what is older than `age` and was not asked for, but for what is in `kept`. What
    /// cannot be removed stays.
    pub(crate) fn sweep(&self, kept: &BTreeSet<PathBuf>, age: Duration) {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_ours = path.extension().is_some_and(|it| KINDS.iter().any(|kind| it == *kind));
            let modified = entry.metadata().and_then(|found| found.modified());
            let is_old = modified.is_ok_and(|at| at.elapsed().is_ok_and(|passed| passed >= age));
            let is_used = used.contains(&path.with_extension("cwasm")) || kept.contains(&path);
            if is_ours && is_old && !is_used && fs::remove_file(&path).is_ok() {
                tracing::debug!(file = %path.display(), "nobody has use for it any more");
            }
        }
    }

    /// The compiled form of `wasm`, from disk or made now and kept.
    pub(crate) fn compile(&self, engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Compiled> {
        let digest = Sha256::digest(wasm);
        let revision: String = hex(&digest).chars().take(REVISION_DIGITS).collect();
        let revision: Arc<str> = revision.into();
        let path = self.directory.join(format!("{}.cwasm", key(engine, &digest)));
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        if let Some(component) = load(engine, &path) {
            return Ok(Compiled { component, cached: true, revision });
        }
        let component = Component::from_binary(engine, wasm)?;
        if let Err(error) = self.store(&path, &component.serialize()?) {
            tracing::warn!(%error, "a compiled component could not be kept");
        }
        // What was just written is mapped in place of what was compiled: the mapping can be
        // dropped by the kernel and read back, the compiler's copy cannot.
        let component = load(engine, &path).unwrap_or(component);
        Ok(Compiled { component, cached: false, revision })
    }

    /// Writes a file and its digest.
    fn store(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        self.write(path, bytes)?;
        self.write(&digest_of(path), hex(&Sha256::digest(bytes)).as_bytes())
    }

    /// Writes beside the final name and renames, so that a reader sees all of a file or none; what
    /// the name leads to is on the disk before it does.
    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

/// Where the digest of a file is.
fn digest_of(path: &Path) -> PathBuf {
    path.with_extension("sha256")
}

/// Whether a file is what was written.
fn is_whole(path: &Path) -> bool {
    let Ok(written) = fs::read_to_string(digest_of(path)) else { return false };
    let mut digest = Sha256::new();
    let read = File::open(path).and_then(|mut file| std::io::copy(&mut file, &mut digest));
    read.is_ok() && hex(&digest.finalize()) == written
}

/// `None` where the file is missing or damaged, or wasmtime refuses it.
#[expect(unsafe_code, reason = "mapping compiled code is unsafe by nature; argued below")]
fn load(engine: &Engine, path: &Path) -> Option<Component> {
    if !is_whole(path) {
        return None;
    }
    // SAFETY: the file was written by `store` into a directory that only its owner can write, is
    // what was written by its digest, and wasmtime checks version and settings before it trusts it.
    match unsafe { Component::deserialize_file(engine, path) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::debug!(%error, "a compiled component is made again");
            None
        }
    }
}

/// Hexadecimal SHA-256 over the wasm's own and the engine's compatibility hash.
fn key(engine: &Engine, wasm: &[u8]) -> String {
    let mut settings = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    hex(&settings.0.chain_update(wasm).finalize())
}

/// Feeds what `Hash` produces to SHA-256; its 64-bit `finish` is never asked for.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_second_compile_comes_from_the_cache_and_a_damaged_file_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let cache = CompileCache::open(directory.path()).unwrap();
        assert!(!cache.compile(&engine, EMPTY).unwrap().cached);
        assert!(cache.compile(&engine, EMPTY).unwrap().cached);
        let file = cache.directory.join(format!("{}.cwasm", key(&engine, &Sha256::digest(EMPTY))));
        let good = fs::read(&file).unwrap();
        // In the place of the file, which is mapped, comes another: torn, of zeros, with one bit of
        // its code changed; and without its digest it is not believed either.
        let mut bit = good.clone();
        *bit.last_mut().unwrap() ^= 1;
        for damaged in [b"not machine code".to_vec(), vec![0; good.len()], bit, good[..64].to_vec()]
        {
            fs::remove_file(&file).unwrap();
            fs::write(&file, damaged).unwrap();
            assert!(!cache.compile(&engine, EMPTY).unwrap().cached);
            assert!(cache.compile(&engine, EMPTY).unwrap().cached);
        }
        fs::remove_file(digest_of(&file)).unwrap();
        assert!(!cache.compile(&engine, EMPTY).unwrap().cached);
    }

    #[test]
    fn what_nobody_asked_for_goes_when_it_is_old() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        CompileCache::open(directory.path()).unwrap().compile(&engine, EMPTY).unwrap();
        let other = [EMPTY, b"\0\x02\x01x"].concat();
        let cache = CompileCache::open(directory.path()).unwrap();
        cache.compile(&engine, &other).unwrap();
        let (kept, gone) = (directory.path().join("kept.wasm"), directory.path().join("gone.wasm"));
        let foreign = directory.path().join("notes.txt");
        for path in [&kept, &gone, &foreign] {
            fs::write(path, "x").unwrap();
        }
        let count = || fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(count(), 7);
        cache.sweep(&BTreeSet::from([kept.clone()]), Duration::from_secs(60));
        assert_eq!(count(), 7, "they are young");
        cache.sweep(&BTreeSet::from([kept.clone()]), Duration::ZERO);
        assert_eq!(count(), 4);
        assert!(kept.exists() && foreign.exists() && !gone.exists());
        assert!(cache.compile(&engine, &other).unwrap().cached);
    }

    #[test]
    fn other_bytes_have_another_key() {
        let engine = Engine::default();
        assert_ne!(key(&engine, b"a"), key(&engine, b"b"));
    }
}
