//! A role's own address, made from the administrator's: the same servers and the same way to them,
//! another role and its database.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::address::{Address, Endpoint};

/// All but what a URL leaves as it is anywhere (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Parameters that the URL has a place of its own for.
const PLACED: [&str; 5] = ["host", "port", "user", "password", "dbname"];

impl Address {
    /// `postgres://name:password@…/name`, as a URL: a secret.
    #[must_use]
    pub fn for_role(&self, name: &str, password: &str) -> String {
        let (name, password) = (escape(name), escape(password));
        self.url(&format!("{name}:{password}@"), &name)
    }

    /// The same role's address of another database, as a URL: a secret.
    #[must_use]
    pub fn for_database(&self, name: &str) -> String {
        let user = self.written.get("user").map(|user| escape(user));
        let user = match (user, &self.password) {
            (Some(user), Some(password)) => format!("{user}:{}@", escape(password)),
            (Some(user), None) => format!("{user}@"),
            (None, _) => String::new(),
        };
        self.url(&user, &escape(name))
    }

    /// `user` ends with an `@`, or is empty.
    fn url(&self, user: &str, database: &str) -> String {
        let hosts: Vec<String> = self.endpoints().iter().map(host).collect();
        let mut url = format!("postgres://{user}{}/{database}", hosts.join(","));
        let others = self.written.iter().filter(|(name, _)| !PLACED.contains(name));
        for (index, (name, value)) in others.enumerate() {
            let before = if index == 0 { '?' } else { '&' };
            url.push_str(&format!("{before}{name}={}", escape(value)));
        }
        url
    }
}

fn host(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Tcp { .. } => endpoint.to_string(),
        Endpoint::Socket { directory, port } => {
            format!("{}:{port}", escape(&directory.to_string_lossy()))
        }
    }
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use crate::Address;

    #[test]
    fn another_database_of_the_same_role() {
        let check = |admin: &str, expected: &str| {
            assert_eq!(Address::parse(admin).unwrap().for_database("a b"), expected);
        };
        check(
            "postgres://admin:x%2Fy@db.example.org/postgres?sslmode=require",
            "postgres://admin:x%2Fy@db.example.org:5432/a%20b?sslmode=require",
        );
        check("host=/run user=admin", "postgres://admin@%2Frun:5432/a%20b");
    }

    #[test]
    fn a_roles_address_follows_from_the_administrators() {
        let check = |admin: &str, expected: &str| {
            let url = Address::parse(admin).unwrap().for_role("auth", "s3/cret");
            assert_eq!(url, expected);
            let (own, admins) = (Address::parse(&url).unwrap(), Address::parse(admin).unwrap());
            assert_eq!(own.endpoints(), admins.endpoints(), "{admin}");
            assert_eq!(own.session, admins.session, "{admin}");
            assert_eq!(own.policy, admins.policy, "{admin}");
        };
        check(
            "postgres://admin:x@db.example.org/postgres?sslmode=require",
            "postgres://auth:s3%2Fcret@db.example.org:5432/auth?sslmode=require",
        );
        check(
            "host=a,::1 hostaddr=10.0.0.1,::1 port=,7 user=admin target_session_attrs=primary",
            "postgres://auth:s3%2Fcret@a:5432,[::1]:7/auth\
             ?hostaddr=10.0.0.1%2C%3A%3A1&target_session_attrs=primary",
        );
        check(
            "host=/var/run user=admin sslrootcert='/a b'",
            "postgres://auth:s3%2Fcret@%2Fvar%2Frun:5432/auth?sslrootcert=%2Fa%20b",
        );
    }
}
