//! What components write to stdout and stderr becomes log lines, one event a line, with the
//! component's id. Lines are bounded; bytes that are not UTF-8 are replaced.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use crate::serving::Serving;

/// Longest line in bytes; a longer one is cut into several events.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// Which of the two streams a line came from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A component's stdout or stderr.
#[derive(Clone)]
pub(crate) struct LogStream {
    component: Arc<str>,
    serving: Serving,
    stream: Stream,
}

impl LogStream {
    /// The stream of one instance of a component, which works on behalf of `serving`.
    pub(crate) fn new(component: Arc<str>, serving: Serving, stream: Stream) -> Self {
        Self { component, serving, stream }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(LineWriter { stream: self.clone(), line: Vec::new() })
    }
}

/// Gathers bytes up to a newline and logs them.
struct LineWriter {
    stream: LogStream,
    line: Vec<u8>,
}

impl LineWriter {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                self.emit();
            } else {
                self.line.push(*byte);
                if self.line.len() >= LINE_BYTES_MAX {
                    self.emit();
                }
            }
        }
    }

    fn emit(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let component = &*self.stream.component;
        let request_id = self.stream.serving.request_id();
        let request_id = request_id.map(tracing::field::display);
        match self.stream.stream {
            Stream::Out => tracing::info!(target: "component", component, request_id, "{text}"),
            Stream::Err => tracing::warn!(target: "component", component, request_id, "{text}"),
        }
        self.line.clear();
    }
}

impl AsyncWrite for LineWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for LineWriter {
    /// A last line without a newline is said too.
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.emit();
        }
    }
}
