//! Texts that people write and read: names, addresses, descriptions. One set of rules for every
//! text of every service, whichever way it comes in.
//!
//! A text is stored in Unicode's form NFC, so that what looks the same is the same; white space of
//! any kind and length is one blank, and there is none at the ends. Refused is what nobody sees
//! (control and format characters, fillers), what turns the direction of writing, and what has no
//! agreed meaning (unassigned, private, no characters at all) or stands for what was lost (U+FFFD,
//! U+FFFC). What scripts need stays: combining
//! marks, the joiners of Persian and Indic writing, and selectors of variants.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

const BLANK: &str = "must not be blank";
const UNSEEN: &str = "must not contain characters that are invisible, turn the direction of \
    writing, are assigned to nothing, or stand for lost ones";

/// A text of one line, of 1 to `max_chars` characters; otherwise what is expected.
pub fn line(text: &str, max_chars: usize) -> Result<String, String> {
    let text = text.trim_matches(char::is_whitespace);
    if text.contains(is_line_break) {
        return Err("must be on one line".to_owned());
    }
    checked(single_blanks(&composed(text)), max_chars)
}

/// A text of one or more lines, of 1 to `max_chars` characters; otherwise what is expected. Lines
/// are separated by `\n`, however they were sent, and none is empty.
pub fn lines(text: &str, max_chars: usize) -> Result<String, String> {
    let composed = composed(text);
    let lines = composed.split(is_line_break).map(single_blanks);
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    checked(lines.join("\n"), max_chars)
}

/// The text in the form NFC.
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// The text in the form NFKC, in which what only looks different, such as a wide letter, is the
/// same.
pub fn compatible(text: &str) -> String {
    text.nfkc().collect()
}

/// The text in the form NFD.
pub fn decomposed(text: &str) -> String {
    text.nfd().collect()
}

/// The text without joiners, and what only lengthens them: they mean nothing to whoever looks for
/// it.
pub fn without_joiners(text: &str) -> String {
    text.replace([ZERO_WIDTH_NON_JOINER, ZERO_WIDTH_JOINER, TATWEEL], "")
}

fn checked(text: String, max_chars: usize) -> Result<String, String> {
    if !text.chars().any(|char| Class::of(char) == Class::Visible) {
        return Err(BLANK.to_owned());
    }
    if text.chars().count() > max_chars {
        return Err(format!("must be at most {max_chars} characters"));
    }
    if is_readable(&text) { Ok(text) } else { Err(UNSEEN.to_owned()) }
}

fn single_blanks(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What Unicode breaks lines at, whatever comes next (UAX 14, classes BK, CR, LF and NL).
fn is_line_break(char: char) -> bool {
    matches!(char, '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const TATWEEL: char = '\u{640}';

/// What a character is to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// It shows by itself.
    Visible,
    /// It shows on the character before.
    Mark,
    /// It says how its neighbours are joined.
    Joiner,
    /// It says which variant of the character before is meant.
    Selector,
    /// A blank or a line break.
    Space,
    /// It has no place in a text for people.
    Unseen,
}

impl Class {
    fn of(char: char) -> Self {
        match char {
            ' ' | '\n' => return Self::Space,
            ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER => return Self::Joiner,
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => return Self::Selector,
            '\u{180b}'..='\u{180d}' | '\u{180f}' => return Self::Selector,
            // Text that was read in a wrong encoding has them, and cannot be mended later.
            '\u{fffc}' | '\u{fffd}' => return Self::Unseen,
            _ if is_blank_by_itself(char) => return Self::Unseen,
            _ => {}
        }
        match char.general_category() {
            GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::Surrogate
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::SpaceSeparator => Self::Unseen,
            GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark => Self::Mark,
            _ => Self::Visible,
        }
    }
}

/// Letters, marks and symbols that have no ink: fillers of Hangul, Khitan and Khmer, the joiner of
/// graphemes, the pattern of no dots, the head of no note.
fn is_blank_by_itself(char: char) -> bool {
    let fillers = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}', '\u{16fe4}'];
    let others = ['\u{34f}', '\u{17b4}', '\u{17b5}', '\u{2800}', '\u{1d159}'];
    fillers.contains(&char) || others.contains(&char)
}

/// Whether every character is seen, or does something for one that is. A joiner stands inside a
/// word; at a word's end only after a mark, as in the older spelling of Malayalam.
fn is_readable(text: &str) -> bool {
    let mut before = Class::Space;
    let mut chars = text.chars().map(Class::of).peekable();
    while let Some(class) = chars.next() {
        let inside = chars.peek() == Some(&Class::Visible);
        let stands = match class {
            Class::Visible | Class::Space => true,
            Class::Mark => before != Class::Space,
            Class::Selector => matches!(before, Class::Visible | Class::Mark),
            Class::Joiner => match before {
                Class::Mark => true,
                Class::Visible | Class::Selector => inside,
                Class::Joiner | Class::Space | Class::Unseen => false,
            },
            Class::Unseen => false,
        };
        if !stands {
            return false;
        }
        before = class;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(found: Result<String, String>, expected: Result<&str, &str>) {
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn lines_of_names() {
        check(line(" Ann \t Lee\n", 9), Ok("Ann Lee"));
        check(line("山田\u{3000}太郎", 9), Ok("山田 太郎"));
        check(line("Jose\u{301}", 4), Ok("José"));
        check(line("Annabella", 8), Err("must be at most 8 characters"));
        check(line("Ann\nLee", 9), Err("must be on one line"));
        check(line("Ann\u{2028}Lee", 9), Err("must be on one line"));
        check(line("a\0b", 9), Err(UNSEEN));
        for blank in ["", " ", "\n", "\u{a0}", "\u{3000}"] {
            check(line(blank, 9), Err(BLANK));
        }
    }

    #[test]
    fn lines_of_addresses() {
        check(
            lines("12 Main St\r\n\n Apt  4 \u{85}Springfield\n", 99),
            Ok("12 Main St\nApt 4\nSpringfield"),
        );
        check(lines("a\u{2028}b\u{2029}c\u{b}d\re\u{c}f\tg", 99), Ok("a\nb\nc\nd\ne\nf g"));
        check(lines("\n\n", 99), Err(BLANK));
        check(lines("a\nb", 2), Err("must be at most 2 characters"));
        check(lines("a\u{202e}b", 9), Err(UNSEEN));
    }

    #[test]
    fn what_nobody_sees_is_no_name_and_no_part_of_one() {
        for text in [
            "\u{200b}",
            "\u{2800}",
            "\u{3164}",
            "\u{202e}\u{2066}",
            "\u{115f}",
            "\u{ad}",
            "\u{feff}",
            "\u{200d}",
            "\u{2060}",
            "\u{180e}",
            "\u{fe0f}",
            "\u{34f}",
            "\u{200e}",
            "\u{ffff}",
            "\u{fffe}",
            "\u{e000}",
            "\u{e0041}",
            "\u{378}",
            "\u{61c}",
            "\u{16fe4}",
            "\u{1d159}",
            "\u{ffa0}",
            "\u{fff9}",
            "\u{fffc}",
            "\u{fffd}",
            "\u{17b4}",
            "\u{10ffff}",
            "\u{301}",
        ] {
            check(line(text, 99), Err(BLANK));
            if text != "\u{301}" && text != "\u{fe0f}" {
                check(line(&format!("John{text} Doe"), 99), Err(UNSEEN));
                check(lines(&format!("John\nDoe {text}"), 99), Err(UNSEEN));
            }
        }
    }

    #[test]
    fn what_scripts_need_stays() {
        for text in [
            "نیک\u{200c}فر",
            "മോഹന്\u{200d}",
            "क्\u{200d}ष",
            "葛\u{e0100}城",
            "👩\u{200d}⚕\u{fe0f}",
            "O’Brien-Łukasiewicz, Jr.",
            "שָׁלוֹם",
        ] {
            check(line(text, 99), Ok(&composed(text)));
        }
        for text in
            ["\u{200c}Ann", "Ann\u{200d}", "An\u{200d}\u{200d}n", "A \u{301}b", " \u{fe0f}a"]
        {
            check(line(text, 99), Err(UNSEEN));
        }
    }

    proptest! {
        #[test]
        fn what_was_taken_is_taken_again_as_it_is(
            text in "\\PC{0,30}|(\\s|[a-zé\u{301}\u{200d}]){0,9}",
        ) {
            if let Ok(taken) = line(&text, 30) {
                prop_assert_eq!(line(&taken, 30), Ok(taken.clone()));
                prop_assert_eq!(lines(&taken, 30), Ok(taken));
            }
            if let Ok(taken) = lines(&text, 30) {
                prop_assert_eq!(lines(&taken, 30), Ok(taken));
            }
        }

        #[test]
        fn both_forms_are_one_text(text in "\\PC{1,30}") {
            prop_assert_eq!(line(&decomposed(&text), 99), line(&composed(&text), 99));
        }
    }
}
