//! What a path below `/api/billing` names, and what may be done with it.

use crate::model::Kind;

/// Where the collection of accounts is. An account is one segment below.
pub(super) const ACCOUNTS: &str = "/api/billing/accounts";
/// Where patients are, as far as billing knows them.
const PATIENTS: &str = "/api/billing/patients";

/// What a path names. An id is the segment where one belongs, whatever it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target<'a> {
    Accounts,
    Account(&'a str),
    PatientAccount(&'a str),
    Statement(&'a str),
    /// Where entries of a kind are posted.
    Bookings(&'a str, Kind),
    Voids(&'a str),
}

impl Target<'_> {
    /// The value of `Allow`.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Accounts => "GET, HEAD, POST, OPTIONS",
            Self::Account(_) | Self::PatientAccount(_) | Self::Statement(_) => "GET, HEAD, OPTIONS",
            Self::Bookings(..) | Self::Voids(_) => "POST, OPTIONS",
        }
    }
}

/// `None` for what does not exist. A slash at the end is ignored.
pub(super) fn target(path: &str) -> Option<Target<'_>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if let Some(rest) = path.strip_prefix(PATIENTS) {
        let (id, rest) = rest.strip_prefix('/')?.split_once('/')?;
        return (rest == "account").then_some(Target::PatientAccount(id));
    }
    let rest = path.strip_prefix(ACCOUNTS)?;
    if rest.is_empty() {
        return Some(Target::Accounts);
    }
    let rest = rest.strip_prefix('/')?;
    let Some((id, rest)) = rest.split_once('/') else { return Some(Target::Account(rest)) };
    match rest {
        "statement" => Some(Target::Statement(id)),
        "charges" => Some(Target::Bookings(id, Kind::Charge)),
        "payments" => Some(Target::Bookings(id, Kind::Payment)),
        "voids" => Some(Target::Voids(id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let check = |path: &str, expected: Option<Target<'_>>| assert_eq!(target(path), expected);
        check("/api/billing/accounts", Some(Target::Accounts));
        check("/api/billing/accounts/", Some(Target::Accounts));
        check("/api/billing/accounts/x", Some(Target::Account("x")));
        check("/api/billing/accounts/x/", Some(Target::Account("x")));
        check("/api/billing/accounts//", Some(Target::Account("")));
        check("/api/billing/accounts/x/statement", Some(Target::Statement("x")));
        check("/api/billing/accounts/x/charges", Some(Target::Bookings("x", Kind::Charge)));
        check("/api/billing/accounts/x/payments", Some(Target::Bookings("x", Kind::Payment)));
        check("/api/billing/accounts/x/voids", Some(Target::Voids("x")));
        check("/api/billing/accounts/x/y", None);
        check("/api/billing/accounts/x/charges/y", None);
        check("/api/billing/accountsx", None);
        check("/api/billing/patients/x/account", Some(Target::PatientAccount("x")));
        check("/api/billing/patients/x", None);
        check("/api/billing/patients", None);
        check("/api/billing/patientsx/y/account", None);
        check("/api/billing", None);
        check("/api", None);
    }
}
