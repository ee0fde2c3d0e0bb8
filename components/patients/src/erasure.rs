//! What a client may send to have a patient erased: why, as a code out of a list. Words of one's
//! own would be about the patient, and the reason is what stays.

use kit::Problem;
use kit::fields::Fields;
use serde_json::Value;

/// The grounds that Article 17(1) GDPR has, a to e. (f, which is about what children were offered,
/// is nothing that happens here.)
pub(crate) const REASONS: [&str; 5] =
    ["NO_LONGER_NEEDED", "CONSENT_WITHDRAWN", "OBJECTION", "UNLAWFUL", "LEGAL_OBLIGATION"];

/// Reads the reason.
pub(crate) fn reason(document: Value) -> Result<&'static str, Problem> {
    let mut fields = Fields::new(document)?;
    let reason = fields.parsed("reason", |text| {
        let known = REASONS.into_iter().find(|known| *known == text);
        known.ok_or_else(|| format!("must be one of {}", REASONS.join(", ")))
    });
    fields.finish()?;
    // It is missing only after it failed, and then finish() has returned.
    reason.ok_or_else(|| Problem::new(kit::problem::INTERNAL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reason_is_one_of_a_few() {
        let check = |document: Value, expected: Option<&str>| {
            assert_eq!(reason(document.clone()).ok(), expected, "{document}");
        };
        for known in REASONS {
            check(json!({ "reason": known }), Some(known));
        }
        check(json!({}), None);
        check(json!({ "reason": null }), None);
        check(json!({ "reason": "objection" }), None);
        check(json!({ "reason": "Jane asked for it" }), None);
        check(json!({ "reason": ["OBJECTION"] }), None);
        check(json!({ "reason": "OBJECTION", "comment": "x" }), None);
        check(json!("OBJECTION"), None);
    }
}
