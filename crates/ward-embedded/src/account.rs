//! The unprivileged user the server runs as. PostgreSQL refuses root, so root drops to `postgres`
//! or, where there is none, to `nobody`; everybody else runs the server as themselves.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::EmbeddedError;

/// A user and group to run the server's programs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The account to drop to: `None` when this process is not root and runs the server itself. An
/// existing data directory decides, because the server insists on owning it.
pub(crate) fn choose(data: &Path) -> Result<Option<Account>, EmbeddedError> {
    refuse_foreign(data)?;
    match owner(data) {
        _ if !is_root() => Ok(None),
        Some(owner) if owner.uid != 0 => Ok(Some(owner)),
        _ => {
            let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
            unprivileged(&users).map(Some).ok_or(EmbeddedError::NoAccount)
        }
    }
}

/// Refuses what belongs to another user; root may use everybody's.
pub(crate) fn refuse_foreign(data: &Path) -> Result<(), EmbeddedError> {
    let own = rustix::process::geteuid().as_raw();
    match owner(data) {
        Some(owner) if !is_root() && owner.uid != own => {
            Err(EmbeddedError::ForeignData { data: data.to_owned(), owner: owner.uid })
        }
        _ => Ok(()),
    }
}

fn owner(path: &Path) -> Option<Account> {
    fs::metadata(path).ok().map(|meta| Account { uid: meta.uid(), gid: meta.gid() })
}

/// `postgres`, else `nobody`, from the text of `/etc/passwd`.
fn unprivileged(users: &str) -> Option<Account> {
    ["postgres", "nobody"].iter().find_map(|name| lookup(users, name))
}

fn lookup(users: &str, name: &str) -> Option<Account> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(Account { uid: id(fields.next()?)?, gid: id(fields.next()?)? })
}

/// macOS writes `nobody` as -2, which the kernel reads as an unsigned number; root is no answer.
fn id(text: &str) -> Option<u32> {
    let number: i64 = text.parse().ok()?;
    let id = u32::try_from(number).or_else(|_| u32::try_from(number + (1 << 32))).ok()?;
    (id != 0).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::{Account, unprivileged};

    fn check(users: &str, expected: Option<(u32, u32)>) {
        assert_eq!(unprivileged(users), expected.map(|(uid, gid)| Account { uid, gid }));
    }

    #[test]
    fn postgres_comes_before_nobody() {
        let users = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n\
                     postgres:x:102:103::/var/lib/postgresql:/bin/bash\n";
        check(users, Some((102, 103)));
    }

    #[test]
    fn nobody_will_do() {
        check(
            "nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false",
            Some((u32::MAX - 1, u32::MAX - 1)),
        );
    }

    #[test]
    fn root_is_no_answer() {
        check("postgres:x:0:0::/:/bin/sh", None);
        check("", None);
    }
}
