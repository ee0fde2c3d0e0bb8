//! What the machine lets this process have: its memory, the limits of the process's control group
//! (version 2 and 1) and of its address space. Looked at once, at start.

use std::fs;
use std::path::{Component, Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use crate::limits;

/// The guests' memory where the manifest gives none: half of what there is. The other half is the
/// host's own, PostgreSQL's where ward runs one, and whatever else is on the machine.
pub(crate) fn guest_memory() -> u64 {
    half(memory(Path::new("/")), getrlimit(Resource::As).current)
}

fn half(memory: Option<u64>, address_space: Option<u64>) -> u64 {
    let known = memory.unwrap_or(limits::MEMORY_UNKNOWN_BYTES);
    known.min(address_space.unwrap_or(u64::MAX)) / 2
}

/// The machine's memory, or the control group's limit where that is lower. `root` is `/` but in
/// tests.
fn memory(root: &Path) -> Option<u64> {
    let whole = fs::read_to_string(root.join("proc/meminfo")).ok();
    let whole = whole.and_then(|text| total_bytes(&text));
    [whole, group_limit(root)].into_iter().flatten().min()
}

/// `MemTotal` of `/proc/meminfo`.
fn total_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The lowest limit of the groups that the process is in. Where version 1 has the memory and
/// version 2 the rest, the latter is mounted as `unified`.
fn group_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = root.join("sys/fs/cgroup");
    let limit = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        if controllers.is_empty() {
            let mounts = [mounts.clone(), mounts.join("unified")];
            return mounts.iter().filter_map(|mount| lowest(mount, group, "memory.max")).min();
        }
        let memory = controllers.split(',').any(|controller| controller == "memory");
        memory.then(|| lowest(&mounts.join("memory"), group, "memory.limit_in_bytes"))?
    };
    groups.lines().filter_map(limit).min()
}

/// The lowest limit on the way from a group up to where groups are mounted. A container often sees
/// its own group as the mount, under a path that is only there outside; and `max` is no number.
fn lowest(mount: &Path, group: &str, file: &str) -> Option<u64> {
    let names = Path::new(group).components().filter(|part| matches!(part, Component::Normal(_)));
    let group: PathBuf = names.collect();
    let read = |group: &Path| {
        fs::read_to_string(mount.join(group).join(file)).ok()?.trim().parse::<u64>().ok()
    };
    group.ancestors().filter_map(read).min()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const GIB: u64 = 1 << 30;

    /// A machine of 8 GiB with these further files.
    fn machine(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        let meminfo = ("proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB\n");
        for (path, text) in [meminfo].iter().chain(files) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn check(files: &[(&str, &str)], expected: u64) {
        assert_eq!(memory(machine(files).path()), Some(expected), "{files:?}");
    }

    #[test]
    fn without_a_group_the_machine_is_what_there_is() {
        check(&[], 8 * GIB);
        check(&[("proc/self/cgroup", "0::/\n")], 8 * GIB);
        assert_eq!(memory(tempfile::tempdir().unwrap().path()), None);
    }

    #[test]
    fn the_lowest_of_version_2_on_the_way_up_counts() {
        let group = ("proc/self/cgroup", "0::/a.slice/b:1.service\n");
        let above = ("sys/fs/cgroup/a.slice/memory.max", "2147483648\n");
        let own = |limit| ("sys/fs/cgroup/a.slice/b:1.service/memory.max", limit);
        check(&[group, above, own("1073741824\n")], GIB);
        check(&[group, above, own("3221225472\n")], 2 * GIB);
        check(&[group, above, own("max\n")], 2 * GIB);
        check(&[group, own("99999999999999\n")], 8 * GIB);
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_mount() {
        let limit = ("sys/fs/cgroup/memory.max", "1073741824\n");
        check(&[("proc/self/cgroup", "0::/\n"), limit], GIB);
        check(&[("proc/self/cgroup", "0::/../other\n"), limit], GIB);
        let group = ("proc/self/cgroup", "5:memory:/docker/12ab\n");
        check(&[group, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n")], GIB);
    }

    #[test]
    fn version_1_counts_and_so_do_both_together() {
        let group = ("proc/self/cgroup", "9:cpu,cpuacct:/c\n4:memory,misc:/a/b\n0::/d\n");
        let unlimited = ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
        check(&[group, unlimited], 8 * GIB);
        let above = ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2147483648\n");
        check(&[group, unlimited, above], 2 * GIB);
        check(&[group, above, ("sys/fs/cgroup/unified/d/memory.max", "1073741824\n")], GIB);
        check(&[group, ("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "1073741824\n")], 8 * GIB);
    }

    #[test]
    fn guests_have_half_and_the_address_space_may_be_less_than_the_memory() {
        assert_eq!(half(Some(8 * GIB), None), 4 * GIB);
        assert_eq!(half(Some(8 * GIB), Some(2 * GIB)), GIB);
        assert_eq!(half(None, None), limits::MEMORY_UNKNOWN_BYTES / 2);
        assert!(guest_memory() > 0);
    }
}
