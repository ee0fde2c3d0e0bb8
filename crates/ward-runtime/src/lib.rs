//! Runs the components of an application: compiles and caches them, composes their middleware,
//! links the host's capabilities, and keeps warm instances that answer HTTP requests.
//! It is the only crate that names wasmtime; it opens no listener and knows no route.
//! Start at [`Runtime::load`], then [`HttpHandler::handle`].

mod cache;
mod capabilities;
mod compose;
mod engine;
mod error;
mod exports;
mod files;
mod handler;
mod limits;
mod linker;
mod load;
mod outbound;
mod services;
mod state;
mod stdio;
mod whole;

pub use error::{HandleError, LoadError};
pub use handler::{Body, BodyError, HttpHandler};
pub use load::{LoadedComponent, Runtime, RuntimeOptions};
