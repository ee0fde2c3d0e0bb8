//! The billing service: one account for every patient, and a ledger that only grows, kept in the
//! database `billing`.
//!
//! It has two doors. [`http`] serves `/api/billing`, behind guard; [`wit`] is what other components
//! call, what gRPC is derived from, and where events of patients come in. Both read what came
//! ([`check`] says what is right for a field), call one function of [`service`], and word the
//! answer. Below that, [`store`] holds one statement for each operation.
//!
//! What holds the ledger together is not here but in the database: constraints and triggers under
//! `migrations/`, which no writer gets around. Nothing is kept between requests; no amount, no
//! description and no patient data is logged.

mod bindings;
mod check;
mod failure;
mod http;
mod limits;
mod model;
mod paging;
mod service;
mod store;
mod wit;
