//! `[application.tool.ward.users]`: where the application keeps its users, for `ward user`. What
//! is there is an API like any other; the document about applications says what it has to answer.

use crate::start::Users;
use crate::toml_file::{Section, Text};

/// The keys of the table.
const KEYS: [&str; 3] = ["trigger", "path", "headers"];

/// Reads it, and the trigger's id where it was written.
pub(super) fn read<'a>(ward: &Section<'a>) -> Option<(Users, Text<'a>)> {
    let users = ward.section("users")?;
    users.only(&KEYS);
    let (trigger, path) = (users.required_text("trigger"), users.required_text("path"));
    let headers = users.text_map("headers");
    let headers =
        headers.iter().map(|(name, value)| (name.value.to_owned(), value.value.to_owned()));
    let (trigger, path) = (trigger?, path?);
    if !path.value.starts_with('/') {
        users.error(&path.span, format!("{:?} is no path: it begins with a slash", path.value));
    }
    let (id, path) = (trigger.value.to_owned(), path.value.to_owned());
    Some((Users { trigger: id, path, headers: headers.collect() }, trigger))
}
