//! What clients send about users, read field by field.

use kit::fields::Fields;
use kit::problem::INTERNAL;
use kit::{Problem, email, text};
use serde_json::Value;

use crate::password::rule;
use crate::store::users::Draft;

/// Longest name, in characters.
pub(crate) const NAME_MAX_CHARS: usize = 100;

/// What changes by itself, and may be sent back as it was read.
const FROM_ANSWERS: [&str; 3] = ["id", "createdAt", "updatedAt"];

/// A user who is to be added.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NewUser {
    pub(crate) draft: Draft,
    pub(crate) password: String,
}

/// What becomes of a user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) draft: Draft,
    pub(crate) disabled: bool,
    /// Where there is to be another one.
    pub(crate) password: Option<String>,
}

/// A change of one's own password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passwords {
    pub(crate) old: String,
    pub(crate) new: String,
}

impl NewUser {
    /// Reads the document.
    pub(crate) fn read(document: Value) -> Result<Self, Problem> {
        let mut fields = Fields::new(document)?;
        let draft = draft(&mut fields);
        let password = fields.secret("password", rule::BYTES_MAX);
        let password = allowed(&mut fields, "password", password, draft.as_ref());
        fields.finish()?;
        let whole = draft.zip(password).map(|(draft, password)| Self { draft, password });
        whole.ok_or_else(|| Problem::new(INTERNAL))
    }
}

impl Changes {
    /// Reads the document.
    pub(crate) fn read(document: Value) -> Result<Self, Problem> {
        let mut fields = Fields::new(document)?;
        FROM_ANSWERS.into_iter().for_each(|name| fields.pass_over(name));
        let draft = draft(&mut fields);
        let disabled = fields.truth("disabled");
        let secret = |fields: &mut Fields, name: &str| fields.secret(name, rule::BYTES_MAX);
        let password = fields.optional("password", secret);
        let password = allowed(&mut fields, "password", password, draft.as_ref());
        fields.finish()?;
        let whole = draft.zip(disabled);
        let whole = whole.map(|(draft, disabled)| Self { draft, disabled, password });
        whole.ok_or_else(|| Problem::new(INTERNAL))
    }
}

impl Passwords {
    /// Reads the document. Whether the new one may be is for whoever knows the user's address.
    pub(crate) fn read(document: Value) -> Result<Self, Problem> {
        let mut fields = Fields::new(document)?;
        let old = fields.secret("oldPassword", rule::BYTES_MAX);
        let new = fields.secret("newPassword", rule::BYTES_MAX);
        fields.finish()?;
        let whole = old.zip(new).map(|(old, new)| Self { old, new });
        whole.ok_or_else(|| Problem::new(INTERNAL))
    }
}

/// Reads what users may change of themselves: their name.
pub(crate) fn profile(document: Value) -> Result<String, Problem> {
    let mut fields = Fields::new(document)?;
    let name = fields.text("name", NAME_MAX_CHARS);
    fields.finish()?;
    name.ok_or_else(|| Problem::new(INTERNAL))
}

/// The role of this name.
pub(crate) fn role(name: &str) -> Result<String, String> {
    let mut names = policy::roles::ALL.iter().map(|role| role.name);
    match names.clone().any(|known| known == name) {
        true => Ok(name.to_owned()),
        false => {
            let first = names.next().unwrap_or_default();
            let all = names.fold(first.to_owned(), |all, name| format!("{all}, {name}"));
            Err(format!("must be one of {all}"))
        }
    }
}

fn draft(fields: &mut Fields) -> Option<Draft> {
    let email = fields.email("email").map(|address| email::fold(&address));
    let name = fields.parsed("name", |given| text::line(given, NAME_MAX_CHARS));
    let role = fields.parsed("role", role);
    email.zip(name).zip(role).map(|((email, name), role)| Draft { email, name, role })
}

/// The password, if it may be set. Where the rest of the document is wrong there is nobody yet who
/// could have it.
fn allowed(
    fields: &mut Fields,
    field: &str,
    password: Option<String>,
    draft: Option<&Draft>,
) -> Option<String> {
    let password = password?;
    let address = draft.map_or("", |draft| &draft.email);
    match rule::check(&password, address) {
        Ok(()) => Some(password),
        Err(expected) => fields.fail(field, expected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ann() -> Value {
        json!({"email": "Ann@Example.com", "name": " Ann  Lee ", "role": "NURSE"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut document = ann();
        document[name] = value;
        document
    }

    #[test]
    fn a_new_user() {
        let user = NewUser::read(with("password", json!("four words of mine"))).unwrap();
        let Draft { email, name, role } = &user.draft;
        assert_eq!([email, name, role], ["ann@example.com", "Ann Lee", "NURSE"]);
        assert!(NewUser::read(ann()).is_err());
        for password in [json!("short"), json!("password123"), json!("ann@example.com"), json!(1)] {
            assert!(NewUser::read(with("password", password.clone())).is_err(), "{password}");
        }
        let mut strange = with("password", json!("four words of mine"));
        strange["disabled"] = json!(false);
        assert!(NewUser::read(strange).is_err());
    }

    #[test]
    fn changes() {
        let changes = Changes::read(with("disabled", json!(true))).unwrap();
        assert_eq!((changes.disabled, changes.password), (true, None));
        let mut document = with("disabled", json!(false));
        for name in FROM_ANSWERS {
            document[name] = json!("as it was read");
        }
        document["password"] = json!("four words of mine");
        let changes = Changes::read(document).unwrap();
        assert_eq!(changes.password.as_deref(), Some("four words of mine"));
        for document in [
            ann(),
            with("disabled", json!("true")),
            with("disabled", json!(0)),
            with("passwordHash", json!("$argon2id$")),
        ] {
            assert!(Changes::read(document.clone()).is_err(), "{document}");
        }
    }

    #[test]
    fn nobody_gives_themselves_a_role() {
        assert_eq!(profile(json!({"name": "Ann"})).unwrap(), "Ann");
        for field in ["role", "email", "disabled", "password", "id"] {
            let mut document = json!({"name": "Ann"});
            document[field] = json!("ADMIN");
            assert!(profile(document).is_err(), "{field}");
        }
    }

    #[test]
    fn roles_are_those_of_the_policy() {
        assert_eq!(role("AUDITOR").as_deref(), Ok("AUDITOR"));
        for name in ["", "auditor", "OWNER", "ADMIN "] {
            assert!(role(name).unwrap_err().starts_with("must be one of ADMIN, "), "{name}");
        }
        let migration = include_str!("../migrations/V2__sessions.sql");
        for known in policy::roles::ALL {
            assert!(migration.contains(&format!("'{}'", known.name)), "{}", known.name);
        }
    }
}
