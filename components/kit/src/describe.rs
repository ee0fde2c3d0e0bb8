//! What readers of bodies and queries ask for, told by the readers themselves: API documents are
//! made from it, so that they cannot say another thing than what is read.
//!
//! [`asked`] has a reader read nothing, and notes what it asks for meanwhile. Only whoever
//! describes an API does that; to everybody else the notes are a look at one word that says there
//! are none.

use std::cell::RefCell;

/// Something that a reader asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The field's or the parameter's name.
    pub name: String,
    /// How it is read.
    pub kind: Kind,
    /// Whether it has to be there.
    pub required: bool,
}

/// How something is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text of one line.
    Line {
        /// Its longest, in characters.
        max_chars: usize,
    },
    /// A text of one or more lines.
    Lines {
        /// Its longest, in characters.
        max_chars: usize,
    },
    /// A text taken as it is.
    Secret {
        /// Its longest, in bytes.
        max_bytes: usize,
    },
    /// An e-mail address.
    Email,
    /// An e-mail address, or a blank text.
    EmailOrBlank,
    /// A date.
    Date,
    /// A string, by rules of the component's own.
    Text,
    /// A whole number, by rules of the component's own.
    Integer,
    /// `true` or `false`.
    Truth,
    /// An object with these fields.
    Object(Vec<Asked>),
    /// Anything: it is not looked at.
    PassedOver,
    /// A parameter of the query.
    Parameter,
}

thread_local! {
    /// What was asked for, while somebody wants to know.
    static NOTES: RefCell<Option<Vec<Asked>>> = const { RefCell::new(None) };
}

/// What `read` asks for. It must ask for everything whatever it finds, as readers do that tell all
/// mistakes at once; it is to be given an empty object, or an empty query.
pub fn asked<T>(read: impl FnOnce() -> T) -> Vec<Asked> {
    let before = NOTES.replace(Some(Vec::new()));
    read();
    let mut asked: Vec<Asked> = Vec::new();
    for one in NOTES.replace(before).unwrap_or_default() {
        // A reader may take a parameter on two ways, of which it goes one.
        if !asked.iter().any(|known| known.name == one.name) {
            asked.push(one);
        }
    }
    asked
}

/// Whether somebody wants to know.
pub(crate) fn is_asking() -> bool {
    NOTES.with_borrow(Option::is_some)
}

/// Notes something that has to be there.
pub(crate) fn note(name: &str, kind: Kind) {
    NOTES.with_borrow_mut(|notes| {
        if let Some(notes) = notes {
            notes.push(Asked { name: name.to_owned(), kind, required: true });
        }
    });
}

/// Notes what `read` asks for as something that may be missing.
pub(crate) fn note_optional(read: impl FnOnce()) {
    if !is_asking() {
        return;
    }
    let noted = asked(read).into_iter().map(|one| Asked { required: false, ..one });
    NOTES.with_borrow_mut(|notes| notes.get_or_insert_default().extend(noted));
}

/// Notes what `read` asks for as the fields of an object.
pub(crate) fn note_object(name: &str, read: impl FnOnce()) {
    let fields = asked(read);
    note(name, Kind::Object(fields));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Fields;
    use crate::query::Query;
    use serde_json::json;

    fn one(name: &str, kind: Kind, required: bool) -> Asked {
        Asked { name: name.to_owned(), kind, required }
    }

    #[test]
    fn a_readers_questions_are_noted() {
        let read = || {
            let mut fields = Fields::new(json!({})).unwrap();
            fields.text("name", 5);
            fields.email("email");
            fields.optional("born", Fields::date);
            fields.object("amount", |amount| amount.integer("units", Ok::<_, &str>));
            fields.parsed("unit", |_| Err::<(), _>("?"));
            fields.truth("paid");
            fields.pass_over("more");
            fields.finish()
        };
        let units = vec![one("units", Kind::Integer, true)];
        let expected = [
            one("name", Kind::Line { max_chars: 5 }, true),
            one("email", Kind::Email, true),
            one("born", Kind::Date, false),
            one("amount", Kind::Object(units), true),
            one("unit", Kind::Text, true),
            one("paid", Kind::Truth, true),
            one("more", Kind::PassedOver, false),
        ];
        assert_eq!(asked(read), expected);
        assert!(!is_asking());
        assert!(read().is_err(), "nobody asks, and all is missing");
    }

    #[test]
    fn parameters_are_noted_once() {
        let read = || {
            let mut query = Query::parse("").unwrap();
            query.take("after");
            crate::page::limit(&mut query);
            query.take("after");
            query.finish()
        };
        let names: Vec<String> = asked(read).into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["after", "limit"]);
    }
}
