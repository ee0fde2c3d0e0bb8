//! Which passwords may be set. Those that are set already are not looked at: whoever has one may
//! use it to choose a better one.
//!
//! Length is what counts (ASVS 5.0, 6.2): there are no rules about letters, digits and signs, which
//! make passwords alike, and nothing expires. What is tried first by those who guess is refused.

use kit::{email, text};

/// How short and how long a password is, in characters of the form in which it is compared.
const CHARS: std::ops::RangeInclusive<usize> = 8..=256;

/// The longest password read, in bytes: [`CHARS`] of four each.
pub(crate) const BYTES_MAX: usize = 1024;

/// One in a line, in lower case; see its head.
const COMMON: &str = include_str!("../../common-passwords.txt");

/// Whether somebody with this address may have this password; otherwise what is expected.
pub(crate) fn check(password: &str, address: &str) -> Result<(), &'static str> {
    let compared = text::compatible(password);
    let folded = compared.to_lowercase();
    if !CHARS.contains(&compared.chars().count()) {
        Err("must be 8 to 256 characters")
    } else if COMMON.lines().any(|line| line == folded) {
        Err("must not be one of the commonest passwords, which are tried first")
    } else if folded == email::fold(address) {
        Err("must not be the e-mail address")
    } else {
        Ok(())
    }
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
    fn the_list_is_what_its_head_says() {
        let (head, list): (Vec<&str>, Vec<&str>) =
            COMMON.lines().partition(|l| l.starts_with("# "));
        assert_eq!((head.len(), list.len()), (6, 8346));
        assert!(list.is_sorted());
        assert!(list.iter().all(|line| line.len() >= 8 && line.to_lowercase() == **line));
    }
}
