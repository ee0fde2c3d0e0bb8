//! What users log in with: e-mail addresses, and whatever else those have who come from elsewhere.
//!
//! One form of a name is stored, looked up and compared: composed, in lower case, with single
//! blanks, as `login_name` of the users' table writes it. Which names somebody may be given is
//! narrower than which there can be.

use kit::{email, text};

/// The longest name, in characters: the users' table has no longer ones.
pub(crate) const MAX_CHARS: usize = email::MAX_CHARS;

/// The form of a text that was read as one line.
pub(crate) fn fold(line: &str) -> String {
    text::composed(&line.to_lowercase())
}

/// A name that somebody may have.
pub(crate) fn read(given: &str) -> Result<String, String> {
    text::line(given, MAX_CHARS).map(|line| fold(&line))
}

/// A name that somebody may get: an address, be it one within a house (`admin@localhost`).
pub(crate) fn new(given: &str) -> Result<String, &'static str> {
    email::parse_local(given).map(|address| fold(&address))
}

/// A name that is asked for, with an `@` in it and no blank: half of one, or a plus that was read
/// as a blank, would find nobody, and nobody would know why.
pub(crate) fn asked(given: &str) -> Option<String> {
    let name = read(given).ok()?;
    let (user, domain) = name.rsplit_once('@')?;
    let is_whole = !user.is_empty() && !domain.is_empty() && !name.contains(' ');
    is_whole.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a name, whether somebody may get it, and whether it can be asked for.
    fn check(given: &str, expected: &str, is_new: bool, is_asked: bool) {
        let expected = expected.to_owned();
        assert_eq!(read(given), Ok(expected.clone()));
        assert_eq!(new(given).ok(), is_new.then(|| expected.clone()), "{given}");
        assert_eq!(asked(given), is_asked.then_some(expected), "{given}");
    }

    #[test]
    fn names_have_one_form() {
        check(" Ann@Example.com ", "ann@example.com", true, true);
        check("ADMIN@localhost", "admin@localhost", true, true);
        check("M\u{fc}ller@example.com", "m\u{fc}ller@example.com", false, true);
        check("Mu\u{308}ller@example.com", "m\u{fc}ller@example.com", false, true);
        check("J\u{30c}@example.com", "\u{1f0}@example.com", false, true);
        check("info@m\u{fc}nchen.de", "info@m\u{fc}nchen.de", false, true);
        check("a@b.cd.", "a@b.cd.", false, true);
        check("ann  lee@example.com", "ann lee@example.com", false, false);
        check("Admin", "admin", false, false);
        check("ann@", "ann@", false, false);
        check("@example.com", "@example.com", false, false);
        for wrong in ["", " ", "a\0b@example.com", "a\nb@example.com"] {
            assert!(read(wrong).is_err() && asked(wrong).is_none(), "{wrong:?}");
        }
    }
}
