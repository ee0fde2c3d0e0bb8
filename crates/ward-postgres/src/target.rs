//! What an address reaches: the servers, whoever is logged in, and the database. It is what shares
//! of a server's connections are counted by, so nothing is in it that leaves these three alone: not
//! the order of hosts or a host that is named twice, not `application_name`, not a password.

use crate::address::Endpoint;

/// What an address reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    server: String,
    user: Option<String>,
    database: Option<String>,
}

impl Target {
    pub(crate) fn new(
        endpoints: &[Endpoint],
        user: Option<String>,
        database: Option<String>,
    ) -> Self {
        let mut places: Vec<String> = endpoints.iter().map(place).collect();
        places.sort_unstable();
        places.dedup();
        // The server takes the user's name for a database that is not named.
        let database = database.or_else(|| user.clone());
        Self { server: places.join(","), user, database }
    }

    /// The servers: who shares them shares their limit of connections.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The role; `None` for the one that is called as the process's account.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The database; `None` for the one that is called as that account.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }
}

/// Where a connection really goes: the name plays no part where there is an address.
fn place(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Tcp { address: Some(address), port, .. } => {
            format!("{}:{port}", address.to_canonical())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::Address;

    fn same(a: &str, b: &str) -> bool {
        let target = |text| Address::parse(text).unwrap().target().clone();
        target(a) == target(b)
    }

    #[test]
    fn what_reaches_the_same_is_the_same_however_it_is_written() {
        let plain = "postgres://u:p@h/d";
        for other in [
            "postgres://u:p@h:5432/d?application_name=x",
            "host=h,h port=5432 user=u password=q dbname=d",
            "host=H. user=u dbname=d sslmode=disable options='-c a=b' connect_timeout=3",
        ] {
            assert!(same(plain, other), "{other}");
        }
        assert!(same("host=a,b user=u", "host=b,a,b user=u dbname=u"));
        assert!(same("host=::ffff:10.0.0.1 user=u", "host=x hostaddr=10.0.0.1 user=u"));
    }

    #[test]
    fn another_server_role_or_database_is_another() {
        let plain = "postgres://u:p@h/d";
        for other in [
            "postgres://u:p@h:5433/d",
            "postgres://v:p@h/d",
            "postgres://u:p@h/e",
            "postgres://u:p@h,i/d",
        ] {
            assert!(!same(plain, other), "{other}");
        }
    }
}
