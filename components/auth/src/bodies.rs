//! What clients send about users, read field by field.

use kit::Problem;
use kit::fields::Fields;
use kit::problem::INTERNAL;
use serde_json::Value;

use crate::names;
use crate::password::rule;
use crate::store::users::Draft;

/// Longest name, in characters.
const NAME_MAX_CHARS: usize = 100;

/// What is said of what is not to be changed where it was sent.
pub(crate) const FIXED: &str = "cannot be changed: leave it out, or send what was last read";

/// What a document repeats of what it cannot change: compared with what is stored, so that what was
/// read can be sent back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The address, where another one could not be stored.
    pub(crate) email: Option<String>,
    pub(crate) created_at: Option<String>,
}

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
    pub(crate) kept: Kept,
}

/// What becomes of oneself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// What it was, where there is none.
    pub(crate) name: Option<String>,
    pub(crate) kept: Kept,
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
        let email = fields.parsed("email", names::new);
        let name = fields.text("name", NAME_MAX_CHARS);
        let draft = draft(email, name.map(Some), fields.parsed("role", role));
        let password = fields.secret("password", rule::BYTES_MAX);
        let password = allowed(&mut fields, "password", password, draft.as_ref());
        fields.finish()?;
        let whole = draft.zip(password).map(|(draft, password)| Self { draft, password });
        whole.ok_or_else(|| Problem::new(INTERNAL))
    }
}

impl Changes {
    /// Reads the document of the user with this id. Without a name they keep the one they have. An
    /// address that nobody could be given may be theirs all the same.
    pub(crate) fn read(document: Value, id: &str) -> Result<Self, Problem> {
        let mut fields = Fields::new(document)?;
        let mut kept = Kept::take(&mut fields, id);
        let email = fields.parsed("email", names::read);
        kept.email = email.clone().filter(|email| names::new(email).is_err());
        let name = fields.optional("name", name);
        let draft = draft(email, Some(name), fields.parsed("role", role));
        let disabled = fields.truth("disabled");
        let secret = |fields: &mut Fields, name: &str| fields.secret(name, rule::BYTES_MAX);
        let password = fields.optional("password", secret);
        let password = allowed(&mut fields, "password", password, draft.as_ref());
        fields.finish()?;
        let whole = draft.zip(disabled);
        let whole = whole.map(|(draft, disabled)| Self { draft, disabled, password, kept });
        whole.ok_or_else(|| Problem::new(INTERNAL))
    }
}

impl Profile {
    /// Reads what users may change of themselves, their name, and what they may send back.
    pub(crate) fn read(document: Value, id: &str, own_role: &str) -> Result<Self, Problem> {
        let mut fields = Fields::new(document)?;
        let mut kept = Kept::take(&mut fields, id);
        kept.email = fields.optional("email", |fields, name| fields.parsed(name, names::read));
        // A token of another role, or of somebody who is disabled, is good for nothing.
        let same = |given: &str| if given == own_role { Ok(()) } else { Err(FIXED) };
        fields.optional("role", |fields, name| fields.parsed(name, same));
        if fields.optional("disabled", Fields::truth) == Some(true) {
            fields.fail::<()>("disabled", FIXED);
        }
        let name = fields.optional("name", name);
        fields.finish()?;
        Ok(Self { name, kept })
    }
}

impl Kept {
    /// Takes what no document changes.
    fn take(fields: &mut Fields, id: &str) -> Self {
        fields.own_id(id);
        let created_at = fields.optional("createdAt", Fields::moment);
        // It changes by itself, and which version is meant is for `If-Match` to say.
        fields.pass_over("updatedAt");
        Self { email: None, created_at }
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

fn name(fields: &mut Fields, field: &str) -> Option<String> {
    fields.text(field, NAME_MAX_CHARS)
}

fn draft(
    email: Option<String>,
    name: Option<Option<String>>,
    role: Option<String>,
) -> Option<Draft> {
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
        assert_eq!([email, role], ["ann@example.com", "NURSE"]);
        assert_eq!(name.as_deref(), Some("Ann Lee"));
        assert!(NewUser::read(ann()).is_err());
        for password in [json!("short"), json!("password123"), json!("ann@example.com"), json!(1)] {
            assert!(NewUser::read(with("password", password.clone())).is_err(), "{password}");
        }
        let mut strange = with("password", json!("four words of mine"));
        strange["disabled"] = json!(false);
        assert!(NewUser::read(strange).is_err());
    }

    const ID: &str = "223e4567-e89b-12d3-a456-426614174006";
    const MOMENT: &str = "2027-01-15T08:00:00.000001Z";

    fn changed(document: Value) -> Result<Changes, Problem> {
        Changes::read(document, ID)
    }

    #[test]
    fn changes() {
        let changes = changed(with("disabled", json!(true))).unwrap();
        assert_eq!((changes.disabled, changes.password), (true, None));
        let mut document = with("disabled", json!(false));
        document["password"] = json!("four words of mine");
        let changes = changed(document).unwrap();
        assert_eq!(changes.password.as_deref(), Some("four words of mine"));
        for document in [
            ann(),
            with("disabled", json!("true")),
            with("disabled", json!(0)),
            with("passwordHash", json!("$argon2id$")),
        ] {
            assert!(changed(document.clone()).is_err(), "{document}");
        }
    }

    /// A user as they are read.
    fn read(name: &str, value: Value) -> Value {
        let mut document = with("disabled", json!(false));
        document["id"] = json!(ID);
        document["createdAt"] = json!(MOMENT);
        document["updatedAt"] = json!("as it was read");
        document[name] = value;
        document
    }

    #[test]
    fn what_was_read_can_be_sent_back() {
        let kept = Kept { email: None, created_at: Some(MOMENT.to_owned()) };
        assert_eq!(changed(read("id", json!(ID))).unwrap().kept, kept);
        let moved = "2027-01-15T09:00:00.000001+01:00";
        assert_eq!(changed(read("createdAt", json!(moved))).unwrap().kept, kept);
        let own = Profile::read(read("id", json!(ID)), ID, "NURSE").unwrap();
        let email = Some("ann@example.com".to_owned());
        assert_eq!(own.kept, Kept { email, ..kept });
        let unnamed = changed(read("name", Value::Null)).unwrap();
        assert_eq!(unnamed.draft.name, None);
        let elsewhere = changed(read("email", json!("Admin"))).unwrap();
        assert_eq!(elsewhere.kept.email.as_deref(), Some("admin"));
        for (field, value) in [
            ("id", json!("123e4567-e89b-12d3-a456-426614174001")),
            ("createdAt", json!("yesterday")),
        ] {
            assert!(changed(read(field, value.clone())).is_err(), "{field}");
            assert!(Profile::read(read(field, value), ID, "NURSE").is_err(), "{field}");
        }
    }

    #[test]
    fn nobody_gives_themselves_a_role() {
        let profile = |document: Value| Profile::read(document, ID, "NURSE");
        assert_eq!(profile(json!({"name": "Ann"})).unwrap().name.as_deref(), Some("Ann"));
        for field in ["role", "disabled", "password", "id"] {
            let mut document = json!({"name": "Ann"});
            document[field] = json!("ADMIN");
            assert!(profile(document).is_err(), "{field}");
        }
        assert!(profile(json!({"name": "Ann", "disabled": true})).is_err());
        // Compared with what is stored.
        let own = profile(json!({"name": "Ann", "email": "Other@example.com"})).unwrap();
        assert_eq!(own.kept.email.as_deref(), Some("other@example.com"));
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
