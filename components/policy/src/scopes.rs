//! The scopes, named as SMART on FHIR names its own: what it is about, and what is done with it.

/// See patients.
pub const PATIENT_READ: &str = "patient.read";
/// Create and change patients, and have their accounts opened with that.
pub const PATIENT_WRITE: &str = "patient.write";
/// Delete patients, and have their accounts closed with that.
pub const PATIENT_DELETE: &str = "patient.delete";
/// Erase what is known of patients.
pub const PATIENT_ERASE: &str = "patient.erase";
/// Restrict patients, and see those who are.
pub const PATIENT_RESTRICT: &str = "patient.restrict";
/// Read restricted patients for a reason, which is kept.
pub const PATIENT_BREAK_GLASS: &str = "patient.break-glass";
/// See accounts and their ledgers.
pub const BILLING_READ: &str = "billing.read";
/// Book charges, payments and refunds, and undo them.
pub const BILLING_WRITE: &str = "billing.write";
/// See counts and events.
pub const ANALYTICS_READ: &str = "analytics.read";
/// Have all counts made anew.
pub const ANALYTICS_WRITE: &str = "analytics.write";
/// See who did what.
pub const AUDIT_READ: &str = "audit.read";
/// See users.
pub const USER_READ: &str = "user.read";
/// Create, change and disable users.
pub const USER_WRITE: &str = "user.write";

/// All of them, in the order in which they are shown, each with what it allows.
pub const ALL: &[(&str, &str)] = &[
    (PATIENT_READ, "see patients"),
    (PATIENT_WRITE, "create and change patients, whose accounts are opened with that"),
    (PATIENT_DELETE, "delete patients, whose accounts are closed with that"),
    (PATIENT_ERASE, "erase what is known of patients, whose accounts are closed with that"),
    (PATIENT_RESTRICT, "restrict patients, and see those who are, with their accounts and events"),
    (PATIENT_BREAK_GLASS, "read restricted patients with a reason, which is kept"),
    (BILLING_READ, "see accounts and their ledgers"),
    (BILLING_WRITE, "book charges, payments and refunds, and undo them"),
    (ANALYTICS_READ, "see counts and events"),
    (ANALYTICS_WRITE, "have all counts made anew"),
    (AUDIT_READ, "see who did what"),
    (USER_READ, "see users"),
    (USER_WRITE, "create, change and disable users"),
];
