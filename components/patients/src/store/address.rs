//! In which column an e-mail address is: `email`, in which no two living patients have the same, or
//! `shared_email`.

use kit::database;
use kit::email::Rule;
use spin_sdk::pg::ParameterValue;

/// An address as the values of the columns `email` and `shared_email`.
pub(super) fn columns(rule: Rule, email: Option<&str>) -> [ParameterValue; 2] {
    let value = email.map_or(ParameterValue::DbNull, database::text);
    match rule {
        Rule::Unique => [value, ParameterValue::DbNull],
        Rule::Optional => [ParameterValue::DbNull, value],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unique_addresses_are_in_the_unique_column() {
        let shown = |rule: Rule| format!("{:?}", columns(rule, Some("a@b.cd")));
        assert!(shown(Rule::Unique).starts_with("[ParameterValue::Str"));
        assert!(shown(Rule::Optional).starts_with("[ParameterValue::DbNull"));
    }
}
