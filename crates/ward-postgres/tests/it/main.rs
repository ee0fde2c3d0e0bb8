//! What holds for every text that somebody may take for an address.

mod never_tells;
