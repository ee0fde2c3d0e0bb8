//! Whether every patient has an e-mail address of their own: the application's choice, in the
//! variable `patient_email`.

use kit::database::{self, Fault};
use spin_sdk::pg::ParameterValue;
use spin_sdk::variables;

/// The component's variable.
const VARIABLE: &str = "patient_email";

/// What holds for e-mail addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EmailRule {
    /// Everybody has one, which no other living patient has: the original system's contract.
    Unique,
    /// It may be missing, and be that of a whole family.
    Optional,
}

impl EmailRule {
    /// The application's rule; [`Self::Unique`] where it says nothing.
    pub(crate) async fn read() -> Result<Self, Fault> {
        let Ok(value) = variables::get(VARIABLE).await else { return Ok(Self::Unique) };
        Self::named(&value).ok_or_else(|| Fault::Other(format!("variable-{VARIABLE}")))
    }

    fn named(value: &str) -> Option<Self> {
        match value {
            "unique" => Some(Self::Unique),
            "optional" => Some(Self::Optional),
            _ => None,
        }
    }

    /// An address as the values of the columns `email` and `shared_email`.
    pub(crate) fn columns(self, email: Option<&str>) -> [ParameterValue; 2] {
        let value = email.map_or(ParameterValue::DbNull, database::text);
        match self {
            Self::Unique => [value, ParameterValue::DbNull],
            Self::Optional => [ParameterValue::DbNull, value],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_names() {
        assert_eq!(EmailRule::named("unique"), Some(EmailRule::Unique));
        assert_eq!(EmailRule::named("optional"), Some(EmailRule::Optional));
        assert_eq!(EmailRule::named(""), None);
    }

    #[test]
    fn only_unique_addresses_are_in_the_unique_column() {
        let shown = |rule: EmailRule| format!("{:?}", rule.columns(Some("a@b.cd")));
        assert!(shown(EmailRule::Unique).starts_with("[ParameterValue::Str"));
        assert!(shown(EmailRule::Optional).starts_with("[ParameterValue::DbNull"));
    }
}
