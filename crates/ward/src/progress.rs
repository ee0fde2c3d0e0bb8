//! What a command is doing, on standard error: a spinner on a terminal, one line per finished
//! phase elsewhere, log events when logs are JSON, nothing when quiet.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{LogFormat, OutputArgs};

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(80);

/// Where phases are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nowhere.
    Quiet,
    /// As lines.
    Lines,
    /// As log events.
    Log,
    /// With a spinner.
    Terminal,
}

impl Progress {
    /// What suits the options and the terminal.
    pub(crate) fn new(output: &OutputArgs) -> Self {
        match (output.quiet, output.log_format) {
            (true, _) => Self::Quiet,
            (false, LogFormat::Json) => Self::Log,
            (false, LogFormat::Plain) if std::io::stderr().is_terminal() => Self::Terminal,
            (false, LogFormat::Plain) => Self::Lines,
        }
    }

    /// Begins a phase; `doing` is shown while it lasts, where something is shown at all.
    pub(crate) fn phase(self, doing: impl Into<Cow<'static, str>>) -> Phase {
        let bar = (self == Self::Terminal).then(|| spinner(doing.into()));
        Phase { shown: Arc::new(Shown { progress: self, bar }), started: Instant::now() }
    }

    /// The same without anything that moves, for when another program writes to the terminal.
    pub(crate) fn without_spinner(self) -> Self {
        if self == Self::Terminal { Self::Lines } else { self }
    }

    /// Says something that took no time.
    pub(crate) fn say(self, text: &str) {
        self.line(text, None);
    }

    fn line(self, text: &str, took: Option<Duration>) {
        match (self, took) {
            (Self::Quiet, _) => {}
            (Self::Log, None) => tracing::info!("{text}"),
            (Self::Log, Some(took)) => {
                tracing::info!(took_ms = u64::try_from(took.as_millis()).ok(), "{text}");
            }
            (Self::Lines | Self::Terminal, took) => {
                let took = took.map(|took| format!(" ({})", seconds(took))).unwrap_or_default();
                // Nobody is left to be told when standard error is closed.
                drop(writeln!(std::io::stderr(), "{text}{took}"));
            }
        }
    }
}

/// A phase that is going on.
pub(crate) struct Phase {
    shown: Arc<Shown>,
    started: Instant,
}

struct Shown {
    progress: Progress,
    bar: Option<ProgressBar>,
}

impl Shown {
    /// One line that stays, above the spinner.
    fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.progress.line(text, None)),
            None => self.progress.line(text, None),
        }
    }
}

impl Phase {
    /// A function that says something in the middle of the phase.
    pub(crate) fn notes(&self) -> ward_embedded::Progress {
        let shown = self.shown.clone();
        Arc::new(move |text| shown.note(text))
    }

    /// Does something, and says once what is waited for if that takes long.
    pub(crate) async fn saying<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        ward_embedded::saying(&self.notes(), what, work).await
    }

    /// Ends the phase with what it came to.
    pub(crate) fn done(self, text: &str) {
        if let Some(bar) = &self.shown.bar {
            bar.finish_and_clear();
        }
        self.shown.progress.line(text, Some(self.started.elapsed()));
    }
}

impl Drop for Shown {
    /// A phase that failed leaves no spinner behind.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn spinner(doing: Cow<'static, str>) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(doing);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// `0.4 s`, or `1 min 5 s` for what takes minutes.
pub(crate) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::seconds;

    #[test]
    fn durations_are_short() {
        let check = |milliseconds, expected: &str| {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), expected);
        };
        check(40, "0.0 s");
        check(420, "0.4 s");
        check(65_400, "1 min 5 s");
    }
}
