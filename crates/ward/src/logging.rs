//! Log lines on standard error: plain for people or JSON for collectors, filtered by `WARD_LOG` or
//! `RUST_LOG`.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::cli::{LogFormat, OutputArgs};
use crate::failure::Failure;

/// Sets up logging for the process. Called once, before anything logs.
pub(crate) fn start(output: &OutputArgs) -> Result<(), Failure> {
    let filter = filter(output.quiet)?.and(filter_fn(is_sayable));
    let layer = fmt::layer().with_writer(std::io::stderr);
    let colour = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let started = match output.log_format {
        LogFormat::Plain => registry().with(layer.with_ansi(colour).with_filter(filter)).try_init(),
        LogFormat::Json => {
            registry().with(layer.json().flatten_event(true).with_filter(filter)).try_init()
        }
    };
    started.map_err(Failure::because("starting the log"))
}

/// Below INFO only Ward's own crates speak, whatever the filter asks: libraries write paths, with
/// their query strings, and statement parameters there, and those are personal data. The library of
/// HTTP/2 says nothing at all: what it warns of is what clients do, once for each connection.
fn is_sayable(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    (*metadata.level() <= Level::INFO && !target.starts_with("h2::")) || target.starts_with("ward")
}

fn filter(quiet: bool) -> Result<EnvFilter, Failure> {
    for name in ["WARD_LOG", "RUST_LOG"] {
        let Ok(directives) = std::env::var(name) else { continue };
        return EnvFilter::try_new(directives).map_err(|error| {
            Failure::new(format!("{name} is no log filter: {error}"))
                .help(format!("use a level or targets with levels: {name}=info,ward_http=debug"))
        });
    }
    Ok(EnvFilter::new(if quiet { "warn" } else { "info" }))
}
