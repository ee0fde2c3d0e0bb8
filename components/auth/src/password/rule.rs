//! Which passwords may be set. Those that are set already are not looked at: whoever has one may
//! use it to choose a better one.
//!
//! Length is what counts (ASVS 5.0, 6.2): there are no rules about letters, digits and signs, which
//! make passwords alike, and nothing expires. What is tried first by those who guess is refused.

use kit::{email, text};
use sha2::{Digest, Sha256};

/// How short and how long a password is, in characters of the form in which it is compared.
pub(crate) const CHARS: std::ops::RangeInclusive<usize> = 8..=256;

/// The longest password read, in bytes: [`CHARS`] of four each.
pub(crate) const BYTES_MAX: usize = 1024;

/// What is tried first: the passwords of 8 characters or more in Django 5.2.19's list
/// (`django/contrib/auth/common-passwords.txt.gz`, which is Royce Williams' of the 20,000 commonest
/// in breaches), in lower case, each as the first four bytes of its SHA-256, in order. A password
/// that is none of them is taken for one once in 500,000 times.
const COMMON: &[u8] = include_bytes!("../../common-passwords.sha256");

/// What is tried first here and nowhere else (ASVS 5.0, 6.1.2): a password is none of these with
/// digits and signs around it.
const HERE: [&str; 16] = [
    "ward",
    "hospital",
    "clinic",
    "health",
    "healthcare",
    "medical",
    "medicine",
    "patient",
    "patients",
    "doctor",
    "nurse",
    "reception",
    "receptionist",
    "billing",
    "auditor",
    "admin",
];

/// Bytes of a digest that are kept.
const PREFIX: usize = 4;

/// Whether somebody with this address may have this password; otherwise what is expected.
pub(crate) fn check(password: &str, address: &str) -> Result<(), &'static str> {
    let compared = text::compatible(password);
    let folded = compared.to_lowercase();
    if !CHARS.contains(&compared.chars().count()) {
        Err("must be 8 to 256 characters")
    } else if is_common(&folded) {
        Err("must not be one of the commonest passwords, which are tried first")
    } else if folded == email::fold(address) {
        Err("must not be the e-mail address")
    } else if is_expected_here(&folded, address) {
        Err("must not be a word of this house or of the e-mail address with digits around it")
    } else {
        Ok(())
    }
}

/// Whether the letters are a word of [`HERE`], or what stands before the address's `@`.
fn is_expected_here(folded: &str, address: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|it| it.is_alphabetic()).collect::<String>();
    let (address, word) = (email::fold(address), letters(folded));
    let own = address.split('@').next().map(letters).unwrap_or_default();
    HERE.contains(&word.as_str()) || (!own.is_empty() && word == own)
}

fn is_common(folded: &str) -> bool {
    let digest = Sha256::digest(folded);
    let (all, _) = COMMON.as_chunks::<PREFIX>();
    digest.first_chunk::<PREFIX>().is_some_and(|prefix| all.binary_search(prefix).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(password: &str) -> bool {
        check(password, "Ann.Lee@example.com").is_ok()
    }

    #[test]
    fn length_is_counted_in_characters_as_they_are_compared() {
        assert!(!accepted("k7#Lq2z"));
        assert!(accepted("k7#Lq2z\u{e9}"));
        // Seven, written as eight.
        assert!(!accepted("k7#Lq2e\u{301}"));
        assert!(accepted(&"\u{1f511}".repeat(256)));
        assert!(!accepted(&"\u{1f511}".repeat(257)));
        assert_eq!("\u{1f511}".repeat(256).len(), BYTES_MAX);
    }

    #[test]
    fn nothing_is_asked_of_their_composition() {
        for password in ["correct horse battery staple", "        .", "aaaaaaab7", "68402917593"] {
            assert!(accepted(password), "{password}");
        }
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for password in ["password", "PassWord", "password123", "12345678", "ｐａｓｓｗｏｒｄ"]
        {
            assert!(!accepted(password), "{password}");
        }
        assert!(!accepted("ann.lee@example.com"));
        assert!(!accepted("ANN.LEE@EXAMPLE.COM"));
        assert!(accepted("ann.lee@example.org"));
    }

    #[test]
    fn words_of_this_house_are_none_with_whatever_digits() {
        for password in ["Hospital2026!", "ward-12345", "2026:NURSE", "annlee1985", "Ann.Lee..99"] {
            assert!(!accepted(password), "{password}");
        }
        for password in ["hospital food", "wardrobe2026", "annlees shoes"] {
            assert!(accepted(password), "{password}");
        }
        assert!(check("68402917593", "7@example.com").is_ok(), "no word is nobody's");
    }

    #[test]
    fn the_list_is_whole_and_in_order() {
        let (all, rest) = COMMON.as_chunks::<PREFIX>();
        assert_eq!((all.len(), rest.len()), (8346, 0));
        assert!(all.is_sorted());
    }
}
