//! The runtime from outside: applications made of the test guests, loaded from a real `spin.toml`,
//! and asked through their handlers. No port of Ward's is open in these tests; what routes and
//! answers on the wire is ward-http's, and tested there.

mod database;
mod files;
mod host;
mod load;
mod middleware;
mod misbehave;
mod network;
mod reuse;
mod stores;
