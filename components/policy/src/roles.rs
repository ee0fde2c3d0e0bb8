//! The roles and their scopes.

use crate::scopes::{
    ANALYTICS_READ, ANALYTICS_WRITE, AUDIT_READ, BILLING_READ, BILLING_WRITE, PATIENT_BREAK_GLASS,
    PATIENT_DELETE, PATIENT_ERASE, PATIENT_READ, PATIENT_RESTRICT, PATIENT_WRITE, USER_READ,
    USER_WRITE,
};

/// What a user can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// As users' rows and tokens have it.
    pub name: &'static str,
    /// Whose it is.
    pub about: &'static str,
    /// What it may do.
    pub scopes: &'static [&'static str],
}

/// All roles. Each has what its work takes and no more; nobody watches over themselves, so that
/// the audit trail is the auditor's alone, who in turn changes nothing and sees no patient.
pub const ALL: &[Role] = &[
    Role {
        name: "ADMIN",
        about: "runs the practice and its users",
        scopes: &[
            PATIENT_READ,
            PATIENT_WRITE,
            PATIENT_DELETE,
            PATIENT_ERASE,
            PATIENT_RESTRICT,
            BILLING_READ,
            BILLING_WRITE,
            ANALYTICS_READ,
            ANALYTICS_WRITE,
            USER_READ,
            USER_WRITE,
        ],
    },
    Role {
        name: "DOCTOR",
        about: "treats patients",
        scopes: &[PATIENT_READ, PATIENT_WRITE, PATIENT_BREAK_GLASS, ANALYTICS_READ],
    },
    Role { name: "NURSE", about: "cares for patients", scopes: &[PATIENT_READ, PATIENT_WRITE] },
    Role {
        name: "RECEPTIONIST",
        about: "registers patients and tells them what they owe",
        scopes: &[PATIENT_READ, PATIENT_WRITE, BILLING_READ],
    },
    Role {
        name: "BILLING",
        about: "keeps the accounts, and knows whom an invoice is for",
        scopes: &[PATIENT_READ, BILLING_READ, BILLING_WRITE],
    },
    Role {
        name: "AUDITOR",
        about: "watches over the others",
        scopes: &[ANALYTICS_READ, AUDIT_READ, USER_READ],
    },
];

/// What a role may do; nothing, for one that does not exist.
#[must_use]
pub fn scopes(role: &str) -> &'static [&'static str] {
    ALL.iter().find(|one| one.name == role).map_or(&[], |one| one.scopes)
}

/// Whether a role has this scope.
#[must_use]
pub fn allows(role: &str, scope: &str) -> bool {
    scopes(role).contains(&scope)
}
