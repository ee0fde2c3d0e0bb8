//! What each operation over HTTP needs, service by service. An operation is not served before it
//! has its line here.

use crate::Operation;
use crate::Scope::{self, Known, Needs, Public};
use crate::Verb::{self, Delete, Get, Post, Put, Watch};
use crate::scopes::{
    ANALYTICS_READ, ANALYTICS_WRITE, AUDIT_READ, BILLING_READ, BILLING_WRITE, PATIENT_DELETE,
    PATIENT_ERASE, PATIENT_READ, PATIENT_RESTRICT, PATIENT_WRITE, USER_READ, USER_WRITE,
};

/// auth. Whoever asks for validation brings the token that is in question, and whoever refreshes a
/// session the one that is good for that. What is about oneself takes no scope.
pub const AUTH: &[Operation] = &[
    line("auth.login", Post, "/auth/login", Public),
    line("auth.refresh", Post, "/auth/refresh", Public),
    line("auth.validate", Get, "/auth/validate", Public),
    line("auth.keys", Get, "/auth/.well-known/jwks.json", Public),
    line("auth.logout", Post, "/auth/logout", Known),
    line("auth.sessions", Get, "/auth/sessions", Known),
    line("auth.end-session", Delete, "/auth/sessions/{id}", Known),
    line("auth.me", Get, "/auth/me", Known),
    line("auth.change-me", Put, "/auth/me", Known),
    line("auth.change-password", Put, "/auth/me/password", Known),
    line("auth.list-users", Get, "/auth/users", Needs(USER_READ)),
    line("auth.create-user", Post, "/auth/users", Needs(USER_WRITE)),
    line("auth.read-user", Get, "/auth/users/{id}", Needs(USER_READ)),
    line("auth.replace-user", Put, "/auth/users/{id}", Needs(USER_WRITE)),
    line("auth.delete-user", Delete, "/auth/users/{id}", Needs(USER_WRITE)),
    line("auth.audit", Get, "/api/audit/auth", Needs(AUDIT_READ)),
];

/// patients.
pub const PATIENTS: &[Operation] = &[
    line("patients.list", Get, "/api/patients", Needs(PATIENT_READ)),
    line("patients.create", Post, "/api/patients", Needs(PATIENT_WRITE)),
    line("patients.search", Post, "/api/patients/search", Needs(PATIENT_READ)),
    line("patients.read", Get, "/api/patients/{id}", Needs(PATIENT_READ)),
    line("patients.replace", Put, "/api/patients/{id}", Needs(PATIENT_WRITE)),
    line("patients.delete", Delete, "/api/patients/{id}", Needs(PATIENT_DELETE)),
    line("patients.erase", Post, "/api/patients/{id}/erasure", Needs(PATIENT_ERASE)),
    line("patients.restrict", Put, "/api/patients/{id}/restriction", Needs(PATIENT_RESTRICT)),
    line("patients.release", Delete, "/api/patients/{id}/restriction", Needs(PATIENT_RESTRICT)),
    line("patients.audit", Get, "/api/audit/patients", Needs(AUDIT_READ)),
];

/// billing.
pub const BILLING: &[Operation] = &[
    line("billing.list", Get, "/api/billing/accounts", Needs(BILLING_READ)),
    line("billing.open", Post, "/api/billing/accounts", Needs(BILLING_WRITE)),
    line("billing.account", Get, "/api/billing/accounts/{id}", Needs(BILLING_READ)),
    line("billing.patient-account", Get, "/api/billing/patients/{id}/account", Needs(BILLING_READ)),
    line("billing.statement", Get, "/api/billing/accounts/{id}/statement", Needs(BILLING_READ)),
    line("billing.charge", Post, "/api/billing/accounts/{id}/charges", Needs(BILLING_WRITE)),
    line("billing.pay", Post, "/api/billing/accounts/{id}/payments", Needs(BILLING_WRITE)),
    line("billing.refund", Post, "/api/billing/accounts/{id}/refunds", Needs(BILLING_WRITE)),
    line("billing.void", Post, "/api/billing/accounts/{id}/voids", Needs(BILLING_WRITE)),
    line("billing.audit", Get, "/api/audit/billing", Needs(AUDIT_READ)),
];

/// analytics.
pub const ANALYTICS: &[Operation] = &[
    line("analytics.summary", Get, "/api/analytics/summary", Needs(ANALYTICS_READ)),
    line("analytics.activity", Get, "/api/analytics/activity", Needs(ANALYTICS_READ)),
    line("analytics.timeline", Get, "/api/analytics/timeline", Needs(ANALYTICS_READ)),
    line("analytics.events", Get, "/api/analytics/events", Needs(ANALYTICS_READ)),
    line("analytics.lag", Get, "/api/analytics/lag", Needs(ANALYTICS_READ)),
    line("analytics.stream", Watch, "/api/analytics/stream", Needs(ANALYTICS_READ)),
    line("analytics.rebuild", Post, "/api/analytics/rebuild", Needs(ANALYTICS_WRITE)),
    line("analytics.audit", Get, "/api/audit/analytics", Needs(AUDIT_READ)),
];

/// docs, which shows what there is to know of the services, and is none of them: it has nothing
/// that anybody may not, and nobody stands in front of it.
pub const DOCS: &[Operation] = &[
    line("docs.home", Get, "/", Public),
    line("docs.page", Get, "/api-docs", Public),
    line("docs.document", Get, "/api-docs/{name}", Public),
    line("docs.asset", Get, "/api-docs/ui/{name}", Public),
];

/// All services.
pub const SERVICES: &[&[Operation]] = &[AUTH, PATIENTS, BILLING, ANALYTICS];

/// All operations of all services.
pub fn operations() -> impl Iterator<Item = &'static Operation> + Clone {
    SERVICES.iter().flat_map(|service| service.iter())
}

const fn line(name: &'static str, verb: Verb, pattern: &'static str, scope: Scope) -> Operation {
    Operation { name, verb, pattern, scope }
}
