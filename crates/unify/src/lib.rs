//! Holds no code. Its manifest asks of shared dependencies every feature that any native package
//! of the workspace asks of them, and every native package depends on it.
//!
//! Cargo compiles a dependency once for each set of features it is asked for, and the set follows
//! from the packages named on the command line: `cargo build -p ward`, `cargo test --workspace`
//! and `cargo run -p ward-bench` would each compile wasmtime anew, ten minutes at a time on two
//! cores. With this package in all of them there is one set. `cargo tree -e normal -f '{p} {f}'`
//! over two selections shows what has drifted apart.
