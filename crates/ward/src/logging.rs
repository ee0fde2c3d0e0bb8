//! Log lines on standard error: plain for people or JSON for collectors, filtered by `WARD_LOG` or
//! `RUST_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::cli::{LogFormat, OutputArgs};
use crate::failure::Failure;

/// Sets up logging for the process. Called once, before anything logs.
pub(crate) fn start(output: &OutputArgs) -> Result<(), Failure> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(output.quiet)?)
        .with_writer(std::io::stderr);
    let colour = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let started = match output.log_format {
        LogFormat::Plain => builder.with_ansi(colour).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(Failure::because("starting the log"))
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
