//! What each function needs that is called over gRPC, or by another component.
//!
//! The host enforces the former by what `spin.toml` says, which a test compares with this; the
//! component that is called looks here itself, because a link brings a caller and no token.

use crate::scopes::{BILLING_READ, BILLING_WRITE, PATIENT_DELETE, PATIENT_WRITE};

/// An interface whose functions people or components call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// Its name in WIT, without a version.
    pub name: &'static str,
    /// The service that it is over gRPC; `None` for what only a linked component can call.
    pub service: Option<&'static str>,
    /// Its functions, each with the scope that it needs.
    pub functions: &'static [(&'static str, &'static str)],
}

/// What clients of the original system call. Both functions answer with what is there and change
/// nothing: accounts follow patients.
pub const BILLING_SERVICE: Interface = Interface {
    name: "pms:billing/billing-service",
    service: Some("BillingService"),
    functions: &[
        ("create-billing-account", BILLING_WRITE),
        ("close-billing-account", BILLING_WRITE),
    ],
};

/// Accounts and their ledgers.
pub const ACCOUNTS: Interface = Interface {
    name: "pms:billing/accounts",
    service: Some("pms.billing.v1.Accounts"),
    functions: &[
        ("get-account", BILLING_READ),
        ("get-patient-account", BILLING_READ),
        ("list-accounts", BILLING_READ),
        ("post-charge", BILLING_WRITE),
        ("record-payment", BILLING_WRITE),
        ("void-entry", BILLING_WRITE),
        ("get-statement", BILLING_READ),
        ("record-refund", BILLING_WRITE),
    ],
};

/// What the patients service has done when it creates and deletes patients: who may do that may
/// have the account opened and closed that goes with it, and needs no scope of billing's.
pub const PATIENT_ACCOUNTS: Interface = Interface {
    name: "pms:billing/patient-accounts",
    service: None,
    functions: &[("open-account", PATIENT_WRITE), ("close-account", PATIENT_DELETE)],
};

/// All interfaces.
pub const INTERFACES: &[Interface] = &[BILLING_SERVICE, ACCOUNTS, PATIENT_ACCOUNTS];

impl Interface {
    /// Whether a role may call a function. Nobody may call one that is not in the table.
    #[must_use]
    pub fn allows(&self, role: &str, function: &str) -> bool {
        let found = self.functions.iter().find(|(name, _)| *name == function);
        found.is_some_and(|(_, scope)| crate::allows(role, scope))
    }
}
