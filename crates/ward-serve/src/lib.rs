//! What every listener has, whatever is served on it: accepting, TLS, a share of everything for
//! each peer, clocks, bounded bodies, the end of a request, draining. The triggers and the page
//! with numbers are [`Service`]s on it. It knows no route, no component and no wasm, and logs
//! nothing that a client sent.
//!
//! Start at [`Server::bind`] and [`Server::run`]; a request's life goes on in [`Service::answer`],
//! which begins a [`Ticket`], has the body [gathered](Inbound::gather) and asks for a
//! [place](Ticket::admit).
//!
//! **Who may hold what.** What a stranger can hold is of four kinds, and each has a whole, a part
//! of it for each network address ([`Limits::peer_share_percent`]), and a rule for who has to go:
//!
//! - **a connection**, while it is open: beyond the share, the one of that address that has been
//!   idle for longest is closed for the next;
//! - **a seat among the bodies that have not come**: the oldest of whoever has most gets a 408;
//! - **a place among the requests at work**, for as long as the work goes on, whoever waits for it:
//!   the next waits in a queue that is fair, and for no longer than a few seconds;
//! - **a seat among the answers that last**, while their client listens: the oldest of whoever has
//!   most ends.
//!
//! What costs a client nothing and the server something has an allowance for each address: beyond
//! it, whoever sends frames that carry no request, or requests of HTTP/1 that are refused, is read
//! more slowly, and refused requests get no line of the log.

#![forbid(unsafe_code)]

mod allowance;
mod answer;
mod clocks;
mod connection;
mod current;
mod descriptors;
mod durations;
mod frames;
mod house;
mod inbound;
mod limits;
mod names;
mod network;
mod peers;
mod places;
mod queue;
mod seats;
mod server;
mod ticket;
mod tls;
mod wire;

pub use answer::{Ahead, Answer, Limit};
pub use connection::Connection;
pub use current::Current;
pub use descriptors::{Descriptors, raise};
pub use durations::Durations;
pub use inbound::{Inbound, Refusal, Verdict};
pub use limits::{Limits, Ping, RETRY_AFTER_SECONDS};
pub use names::is_local;
pub use network::Proxies;
pub use places::{Full, Place};
pub use seats::Lost;
pub use server::{Door, Drained, Options, Phase, Protocol, Server, Service};
pub use ticket::{Line, Ticket};
pub use tls::{Certificate, CertificateError};
