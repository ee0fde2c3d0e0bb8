//! Environment and mounted files: what was granted is there, read only, and nothing else.

use super::host::{Host, Plan, plan, quote};

const PROBE: &str = r#"
[[trigger.http]]
id = "probe"
route = "/..."
component = "probe"

[component.probe]
source = "{guest-probe}"
environment = { COLOUR = "blue", SHAPE = "round" }
files = ["notes/*.txt", { source = "data", destination = "/mnt/data" }]
exclude_files = ["notes/secret.txt"]
"#;

fn with_files() -> Plan {
    plan(PROBE)
        .file("notes/a.txt", "note a")
        .file("notes/secret.txt", "a secret")
        .file("notes/b.md", "not granted")
        .file("data/deep/c.txt", "data c")
        .file("other.txt", "not granted")
}

async fn read(host: &Host, path: &str) -> String {
    host.text("probe", &format!("/file/read?path={}", quote(path))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_the_manifests_and_the_command_lines_alone() {
    let host = with_files().env("COLOUR", "red").load();
    assert_eq!(host.text("probe", "/env/all").await, "ok COLOUR=red\nSHAPE=round");
    let answer = host.text("probe", "/env?name=PATH").await;
    assert!(answer.starts_with("error"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn granted_files_can_be_read() {
    let host = with_files().load();
    assert_eq!(read(&host, "/notes/a.txt").await, "ok note a");
    assert_eq!(read(&host, "/mnt/data/deep/c.txt").await, "ok data c");
    assert_eq!(read(&host, "/mnt/../notes/a.txt").await, "ok note a");
    assert_eq!(host.text("probe", "/file/list?path=/").await, "ok mnt,notes");
    assert_eq!(host.text("probe", "/file/list?path=/notes").await, "ok a.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_can_be_read() {
    let host = with_files().load();
    for path in [
        "/notes/secret.txt",
        "/notes/b.md",
        "/other.txt",
        "/spin.toml",
        "/etc/passwd",
        "../other.txt",
        "/../../../../../../../../../../../etc/passwd",
        "/notes/../../../../../../../../../../etc/passwd",
        "/mnt/data/../../../../spin.toml",
    ] {
        let answer = read(&host, path).await;
        assert!(answer.starts_with("error"), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_nowhere_outside() {
    let plan = with_files();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("outside.txt"), "outside").unwrap();
    let data = plan.path().join("data");
    for (link, target) in [
        ("to-file", outside.path().join("outside.txt")),
        ("to-directory", outside.path().to_owned()),
        ("up", "../notes/secret.txt".into()),
        ("inside", "../other.txt".into()),
    ] {
        std::os::unix::fs::symlink(target, data.join(link)).unwrap();
    }
    let host = plan.load();
    for path in ["to-file", "to-directory/outside.txt", "up"] {
        let answer = read(&host, &format!("/mnt/data/{path}")).await;
        assert!(answer.starts_with("error"), "{path}: {answer}");
    }
    assert_eq!(read(&host, "/mnt/data/inside").await, "ok not granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_the_state_directory_leads_nowhere_either() {
    let host = with_files().load();
    // Somebody meddles with the snapshot while the component runs.
    let snapshot = host.directory.path().join("state/files/probe");
    std::os::unix::fs::symlink("/etc", snapshot.join("etc")).unwrap();
    let answer = read(&host, "/etc/passwd").await;
    assert!(answer.starts_with("error"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_cannot_be_written() {
    let host = with_files().load();
    for path in ["/notes/a.txt", "/notes/new.txt", "/new.txt", "/mnt/data/deep/c.txt"] {
        let answer = host.text("probe", &format!("/file/write?path={path}")).await;
        assert!(answer.starts_with("error"), "{path}: {answer}");
    }
    assert_eq!(read(&host, "/notes/a.txt").await, "ok note a");
    let original = std::fs::read_to_string(host.directory.path().join("notes/a.txt")).unwrap();
    assert_eq!(original, "note a");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_files_there_is_no_file_system() {
    let manifest: String =
        PROBE.lines().filter(|line| !line.contains("files =")).collect::<Vec<_>>().join("\n");
    let host = plan(&manifest).load();
    for path in ["/", "."] {
        let answer = host.text("probe", &format!("/file/list?path={path}")).await;
        assert!(answer.starts_with("error"), "{path}: {answer}");
    }
}
