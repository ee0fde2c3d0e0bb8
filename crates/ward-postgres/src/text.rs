//! The two ways to write an address, read into parameters by name: a URL, and a list of `key=value`
//! pairs. As in libpq the last of several values holds, an empty one is none, and what a password
//! may hold ends where libpq says so. No error repeats what was read: see [`AddressError`].

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::error::AddressError;
use crate::limits::ADDRESS_BYTES_MAX;
use crate::parameter::{self, Support};

/// Parameters by name, none of them empty.
pub(crate) type Parameters = BTreeMap<&'static str, String>;

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// The longest name that is repeated: twice as long as libpq's longest.
const NAME_BYTES_MAX: usize = 48;

/// Reads either form.
pub(crate) fn read(text: &str) -> Result<Parameters, AddressError> {
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(AddressError::TooLong);
    }
    if text.contains('\0') {
        return Err(AddressError::Escape);
    }
    let mut reading = Reading::default();
    match SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        Some(rest) => reading.url(rest)?,
        None => reading.list(text)?,
    }
    Ok(reading.parameters)
}

#[derive(Default)]
struct Reading {
    parameters: Parameters,
    /// What follows may be the rest of a password that was not written as it has to be.
    spilled: bool,
}

impl Reading {
    fn url(&mut self, text: &str) -> Result<(), AddressError> {
        let slash = text.find('/').unwrap_or(text.len());
        let rest = match text.find('@').filter(|at| *at < slash) {
            Some(at) => {
                let (credentials, rest) = text.split_at_checked(at).unwrap_or((text, ""));
                let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
                self.put("user", decode(user)?)?;
                self.put("password", decode(password)?)?;
                rest.strip_prefix('@').unwrap_or(rest)
            }
            None => {
                // An `@` further on may be the end of a password that has a slash in it.
                self.spilled = text.contains('@');
                text
            }
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if place.contains('@') {
            return Err(AddressError::Credentials);
        }
        let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
        self.hosts(hosts)?;
        self.put("dbname", decode(database)?)?;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(AddressError::Form)?;
            let (name, value) = (decode(name)?, decode(value)?);
            // As libpq has it, for the sake of those who know JDBC's.
            match (name.as_str(), value.as_str()) {
                ("ssl", "true") => self.put("sslmode", "require".to_owned())?,
                _ => self.put(&name, value)?,
            }
            self.spilled |= name == "password";
        }
        Ok(())
    }

    /// `host:port,host:port`, as two lists of the same length.
    fn hosts(&mut self, text: &str) -> Result<(), AddressError> {
        if text.is_empty() {
            return Ok(());
        }
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for one in text.split(',') {
            let (host, port) = match one.strip_prefix('[') {
                Some(inside) => {
                    let (host, after) = inside.split_once(']').ok_or(AddressError::Form)?;
                    let port = match after.strip_prefix(':') {
                        Some(port) => port,
                        None if after.is_empty() => "",
                        None => return Err(AddressError::Form),
                    };
                    (host, port)
                }
                None => one.split_once(':').unwrap_or((one, "")),
            };
            hosts.push(decode(host)?);
            ports.push(decode(port)?);
        }
        // No port at all leaves the place to a parameter; so does no host.
        if hosts.iter().any(|host| !host.is_empty()) {
            self.put("host", hosts.join(","))?;
        }
        if ports.iter().any(|port| !port.is_empty()) {
            self.put("port", ports.join(","))?;
        }
        Ok(())
    }

    fn list(&mut self, text: &str) -> Result<(), AddressError> {
        let mut rest = text.trim_start();
        if rest.is_empty() {
            return Err(AddressError::NoHost);
        }
        while !rest.is_empty() {
            let (name, value) = rest.split_once('=').ok_or(AddressError::Form)?;
            let name = name.trim_end();
            if name.contains(char::is_whitespace) || name.is_empty() {
                return Err(AddressError::Form);
            }
            let value = value.trim_start();
            let quoted = value.strip_prefix('\'');
            let (value, after) = match quoted {
                Some(inside) => quoted_value(inside)?,
                None => bare_value(value),
            };
            self.put(name, value)?;
            // A bare password ends at its first space, whether that was meant or not.
            self.spilled |= name == "password" && quoted.is_none();
            rest = after.trim_start();
        }
        Ok(())
    }

    fn put(&mut self, name: &str, value: String) -> Result<(), AddressError> {
        let Some((name, support)) = parameter::find(name) else {
            // Who forgets the `=` behind `password` has written the password into the name.
            let sayable = !self.spilled && is_name(name) && !name.contains("pass");
            return Err(AddressError::Unknown(sayable.then(|| name.to_owned())));
        };
        if value.is_empty() {
            self.parameters.remove(name);
            return Ok(());
        }
        match support {
            Support::Served => {
                self.parameters.insert(name, value);
                Ok(())
            }
            Support::Only(values) if values.contains(&value.as_str()) => Ok(()),
            Support::Only(_) | Support::Refused => Err(AddressError::Unsupported(name)),
        }
    }
}

/// Whether it looks like a parameter's name rather than a piece of something else.
fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The value up to its closing quote, and what follows. A backslash takes the next character as it
/// is.
fn quoted_value(text: &str) -> Result<(String, &str), AddressError> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, next)) = characters.next() {
        match next {
            '\\' => value.extend(characters.next().map(|(_, next)| next)),
            '\'' => {
                let after = text.get(at + 1..).unwrap_or_default();
                let ends = after.is_empty() || after.starts_with(char::is_whitespace);
                return ends.then_some((value, after)).ok_or(AddressError::Quote);
            }
            other => value.push(other),
        }
    }
    Err(AddressError::Quote)
}

/// The value up to the next space, and what follows.
fn bare_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, next)) = characters.next() {
        match next {
            '\\' => value.extend(characters.next().map(|(_, next)| next)),
            space if space.is_whitespace() => return (value, text.get(at..).unwrap_or_default()),
            other => value.push(other),
        }
    }
    (value, "")
}

/// Percent-decodes a piece of a URL. libpq refuses what is no code, and so do we: half a password
/// is no password.
fn decode(text: &str) -> Result<String, AddressError> {
    for piece in text.split('%').skip(1) {
        let code = piece.get(..2).is_some_and(|c| c.chars().all(|c| c.is_ascii_hexdigit()));
        if !code || piece.starts_with("00") {
            return Err(AddressError::Escape);
        }
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| AddressError::Escape)?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match read(text) {
            Ok(parameters) => {
                let all = parameters.iter().map(|(name, value)| format!("{name}={value}"));
                all.collect::<Vec<_>>().join("|")
            }
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn urls() {
        check("postgres://", "");
        check("postgresql://u@h", "host=h|user=u");
        check(
            "postgres://u:p%40:/s@h:1/d",
            "error: the address has an `@` in the wrong place; \
               in a user or password, `@` is written %40 and `/` %2F",
        );
        check("postgres://u:p%40:%2F?s@h:1/d", "dbname=d|host=h|password=p@:/?s|port=1|user=u");
        check("postgres://h1:1,h2,[::1]:3/d", "dbname=d|host=h1,h2,::1|port=1,,3");
        check("postgres://%2Fvar%2Frun/d", "dbname=d|host=/var/run");
        check("postgres:///d?host=/run&port=6&user=u", "dbname=d|host=/run|port=6|user=u");
        check("postgres://a/d?host=b&host=c", "dbname=d|host=c");
        check("postgres://a/?application_name=x%20y@z", "application_name=x y@z|host=a");
        check("postgres://a?ssl=true", "host=a|sslmode=require");
        check("postgres://a?options=-c%20a=b", "host=a|options=-c a=b");
        let bad = "error: the address is neither a postgres:// URL nor a list of key=value pairs";
        for text in ["postgres://[::1", "postgres://[::1]x", "postgres://h?x", "postgres:/h"] {
            check(text, bad);
        }
        for text in ["postgres://u:%@h", "postgres://%0", "postgres://%00", "postgres://h/%ff"] {
            check(text, "error: the address has a `%` that does not begin the code of a character");
        }
    }

    #[test]
    fn lists() {
        check(
            "host=h  port = 5 user='a b' password='it\\'s'",
            "host=h|password=it's|port=5|user=a b",
        );
        check("host=a\\ b", "host=a b");
        check("host=h user=", "host=h");
        check("host=h user='' dbname=d", "dbname=d|host=h");
        check("", "error: the address names no host");
        check(
            "host",
            "error: the address is neither a postgres:// URL nor a list of key=value pairs",
        );
        for text in ["host='h", "host='h'x", "password='a'b=c"] {
            check(
                text,
                "error: a quoted value of the address does not end; inside, a quote is written \\'",
            );
        }
    }

    #[test]
    fn parameters_are_named_unless_they_may_be_a_password() {
        check("postgres://h/d?schema=x", "error: the address has an unknown parameter `schema`");
        check("host=h sslmod=x", "error: the address has an unknown parameter `sslmod`");
        check("host=h sslcert=x", "error: the address has `sslcert`, which ward does not support");
        check("host=h sslcert='' sslcompression=0", "host=h");
        check(
            "host=h client_encoding=LATIN1",
            "error: the address has `client_encoding`, which ward does not support",
        );
        let unnamed = "error: the address has an unknown parameter; a password with spaces or `&` \
                       has to be quoted or percent-encoded";
        check("password=correct horse=battery host=h", unnamed);
        check("postgres://h?password=a&b=c", unnamed);
        check("postgres://u:1/x?y=z@h", unnamed);
        check("host=h Horse=1", unnamed);
        check("host=h passwordbattery=staple", unnamed);
    }
}
