//! Test guest, being written.
