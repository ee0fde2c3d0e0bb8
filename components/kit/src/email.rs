//! Which e-mail addresses are taken.
//!
//! Pragmatic rather than complete: what mail systems really deliver to. The local part is dot-atoms
//! of at most 64 characters (no quoted strings, no comments), the domain at least two labels as DNS
//! has them, the whole at most 254 characters (RFC 5321's path less its angle brackets). ASCII
//! only: internationalised domains are written in Punycode, and folding case needs no locale, so
//! that two databases never disagree on whether an address is taken.

use spin_sdk::variables;

use crate::database::Fault;

/// Longest address, in characters.
pub const MAX_CHARS: usize = 254;

/// What holds for the addresses of patients: the application's choice, in its variable
/// `patient_email`, which every component that reads patients has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Everybody has one, which no other living patient has: the original system's contract.
    Unique,
    /// It may be missing, and be that of a whole family.
    Optional,
}

impl Rule {
    /// The component's variable.
    const VARIABLE: &str = "patient_email";

    /// The application's rule; [`Self::Unique`] where it says nothing.
    pub async fn read() -> Result<Self, Fault> {
        let Ok(value) = variables::get(Self::VARIABLE).await else { return Ok(Self::Unique) };
        Self::named(&value).ok_or_else(|| Fault::Other(format!("variable-{}", Self::VARIABLE)))
    }

    fn named(value: &str) -> Option<Self> {
        match value {
            "unique" => Some(Self::Unique),
            "optional" => Some(Self::Optional),
            _ => None,
        }
    }
}

/// The address without the white space around it, or what is expected. It is ASCII: there are no
/// two ways of writing one, and nothing to normalise.
pub fn parse(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if is_valid(text) { Ok(text.to_owned()) } else { Err("must be an e-mail address") }
}

/// The same of an address that may be one within a house, whose domain is a single label, as in
/// `admin@localhost`.
pub fn parse_local(text: &str) -> Result<String, &'static str> {
    let host = |domain: &str| is_label(domain) && !is_number(domain);
    match is_address(text.trim(), |domain| is_domain(domain) || host(domain)) {
        true => Ok(text.trim().to_owned()),
        false => Err("must be an e-mail address"),
    }
}

/// Whether the text is an address by the rules above.
fn is_valid(text: &str) -> bool {
    is_address(text, is_domain)
}

fn is_address(text: &str, is_domain: impl Fn(&str) -> bool) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    text.len() <= MAX_CHARS && is_local(local) && is_domain(domain)
}

/// The form by which addresses are compared: lower case.
///
/// The local part is case-sensitive on paper only; no known provider gives `John@` and `john@` to
/// two people.
pub fn fold(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn is_local(local: &str) -> bool {
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    local.len() <= 64 && local.split('.').all(|part| !part.is_empty() && part.bytes().all(atom))
}

fn is_domain(domain: &str) -> bool {
    let Some((rest, top)) = domain.rsplit_once('.') else { return false };
    // An all-digit last label would be an address of the other kind: 127.0.0.1.
    !is_number(top) && is_label(top) && rest.split('.').all(is_label)
}

fn is_number(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_label(label: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_have_names() {
        assert_eq!(Rule::named("unique"), Some(Rule::Unique));
        assert_eq!(Rule::named("optional"), Some(Rule::Optional));
        assert_eq!(Rule::named(""), None);
    }

    #[test]
    fn addresses() {
        let check = |text: &str, valid: bool| assert_eq!(is_valid(text), valid, "{text}");
        check("john.doe@example.com", true);
        check("o'brien+tag@mail.example.co.uk", true);
        check("x@xn--bcher-kva.example", true);
        check(&format!("{}@example.com", "a".repeat(64)), true);
        check("", false);
        check("plain", false);
        check("@example.com", false);
        check("john@", false);
        check("john@localhost", false);
        check("john@@example.com", false);
        check("a@b@example.com", false);
        check("john@example..com", false);
        check("john@.example.com", false);
        check("john@example.com.", false);
        check("john@-example.com", false);
        check("john@example-.com", false);
        check("john@127.0.0.1", false);
        check(".john@example.com", false);
        check("john.@example.com", false);
        check("jo..hn@example.com", false);
        check("jo hn@example.com", false);
        check("john@exam ple.com", false);
        check("john@example.com\n", false);
        check("jöhn@example.com", false);
        check("\"john\"@example.com", false);
        check("john\0@example.com", false);
        check(&format!("{}@example.com", "a".repeat(65)), false);
        check(&format!("a@{}.com", "a".repeat(64)), false);
        let long = format!("a@{}com", "abcdefghi.".repeat(25));
        assert_eq!(long.len(), 255);
        check(&long, false);
        check(&long[1..].replacen('@', "b@", 1)[..254].replacen("b@", "@", 1), false);
    }

    #[test]
    fn addresses_within_a_house() {
        let check =
            |text: &str, valid: bool| assert_eq!(parse_local(text).is_ok(), valid, "{text}");
        check(" admin@localhost ", true);
        check("john.doe@example.com", true);
        check("admin", false);
        check("admin@", false);
        check("admin@localhost.", false);
        check("admin@127", false);
        check("admin@-house", false);
        check("m\u{fc}ller@localhost", false);
    }

    proptest! {
        #[test]
        fn what_is_built_by_the_rules_is_valid(
            local in "[a-z0-9+_-]{1,20}(\\.[a-z0-9]{1,10}){0,2}",
            domain in "[a-z0-9]{1,20}(-[a-z0-9]{1,5})?\\.[a-z]{2,10}",
        ) {
            let address = format!("{local}@{domain}");
            prop_assert!(is_valid(&address));
            prop_assert_eq!(fold(&address.to_uppercase()), address);
        }

        #[test]
        fn nothing_valid_needs_escaping_or_a_locale(text in "\\PC{0,40}@\\PC{1,20}") {
            if is_valid(&text) {
                prop_assert!(text.is_ascii());
                prop_assert!(!text.contains(char::is_whitespace));
                prop_assert!(is_valid(&fold(&text)));
            }
        }
    }
}
