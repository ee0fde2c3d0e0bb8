//! File descriptors: how many connections there can be is decided by a limit that most systems set
//! at 1024, and let anyone raise.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files the process may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// The limit; `None` for none.
    pub limit: Option<u64>,
}

impl Descriptors {
    /// Whether so many fit.
    pub fn allow(self, wanted: u64) -> bool {
        self.limit.is_none_or(|limit| limit >= wanted)
    }
}

/// Raises the limit on open files to the highest that the process may choose, and says what it is.
pub fn raise() -> Descriptors {
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: before.maximum, maximum: before.maximum };
    let raised = before.current != before.maximum && setrlimit(Resource::Nofile, wanted).is_ok();
    Descriptors { limit: if raised { before.maximum } else { before.current } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_as_high_as_may_be() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(256), maximum }).unwrap();
        let raised = raise();
        assert_eq!(raised.limit, maximum);
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
        assert_eq!(raised, raise());
        let limit = Descriptors { limit: Some(10) };
        assert!(limit.allow(10) && !limit.allow(11));
        assert!(Descriptors { limit: None }.allow(u64::MAX));
    }
}
