//! The bounds of the gRPC trigger that are not every listener's, and what it has other than HTTP of
//! those that are, each with its reason.

use std::time::Duration;

/// What clients and answers may cost. The defaults suit a service on a small machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// What every listener bounds. Past the places UNAVAILABLE is answered, which clients know to
    /// try again; RESOURCE_EXHAUSTED would tell them that they are the problem.
    pub server: ward_serve::Limits,
    /// Bytes of a message either way, decompressed. Beyond it: RESOURCE_EXHAUSTED.
    pub message_bytes_max: usize,
    /// How long a client may keep asking for descriptors on one stream.
    pub reflection_time_max: Duration,
}

/// Answers shorter than this are sent as they are, whatever the client understands: most clients
/// say that they do, and deflating a few hundred bytes costs more time than it saves anywhere.
pub(crate) const COMPRESSED_BYTES_MIN: usize = 1024;

/// Room taken for an answer before its length is known; most fit.
pub(crate) const MESSAGE_BYTES: usize = 256;

/// Far more than what is around a message: five bytes.
const FRAME_BYTES_MAX: u64 = 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            server: ward_serve::Limits {
                // As HTTP/2 counts them: names, values, and 32 for each field. A token may have 8
                // KiB; gRPC's own libraries stop at 8 or 16. Beyond it: RESOURCE_EXHAUSTED.
                head_bytes_max: 16 * 1024,
                // Clients keep a channel for as long as they live, and open it anew unasked, so
                // what is idle for 5 minutes may go.
                idle_time_max: Duration::from_secs(300),
                ..ward_serve::Limits::default()
            },
            message_bytes_max: 4 * 1024 * 1024,
            reflection_time_max: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// Those of the server: of a body no more is read than a message of the greatest length that
    /// compression made longer, and what frames it.
    pub(crate) fn of_server(&self) -> ward_serve::Limits {
        let body_bytes_max = (self.message_bytes_max as u64).saturating_mul(2);
        let body_bytes_max = body_bytes_max.saturating_add(FRAME_BYTES_MAX);
        ward_serve::Limits { body_bytes_max, ..self.server.clone() }
    }
}
