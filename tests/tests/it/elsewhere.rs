//! PostgreSQL that ward does not run: a server named by `WARD_DATABASE_URL`, and databases given
//! one by one, as replicas of a deployment are. The server is that of another ward, with an
//! application of its own.

use std::fs;
use std::path::Path;
use tempfile::TempDir;
use ward_tests::{Options, Patient, Ward, wasm};

#[tokio::test]
async fn a_server_that_already_runs_is_used_and_left_running() {
    let directory = Ward::new_home();
    let mut owner = Ward::start(Options::manifest(&spare_application(&directory)));
    let mut first = Ward::start(Options {
        environment: vec![("WARD_DATABASE_URL".into(), administrator(&owner))],
        ..Options::demo()
    });
    assert!(!first.state().join("postgres").exists(), "no server of its own");
    let user = first.user().await;
    let created = user.create(&Patient::unique().json()).await;
    assert_eq!(created.status, 201, "{created:?}");

    replica_serves_the_same(&first, created.header("location")).await;
    assert!(first.stop().success(), "{}", first.log());
    first.start_again();
    let again = first.user().await;
    assert_eq!(again.get(created.header("location")).await.json(), created.patient());
    assert!(first.stop().success(), "{}", first.log());
    assert!(!first.log().contains(&owner.superuser_password()), "the address is a secret");

    owner.database("spare").await.rows("SELECT count(*) FROM things", &[]).await;
    assert!(owner.stop().success(), "{}", owner.log());
}

/// A second ward over the same databases and keys keeps no state of its own.
async fn replica_serves_the_same(first: &Ward, location: &str) {
    let mut replica = Ward::start(first.replica());
    let token = first.user().await.token().to_owned();
    let user = replica.api().with_token(&token);
    assert_eq!(user.get(location).await.status, 200);
    let created = user.create(&Patient::unique().json()).await;
    let seen = first.api().with_token(&token).get(created.header("location")).await;
    assert_eq!(seen.json(), created.patient());
    assert!(replica.stop().success(), "{}", replica.log());
}

/// The address of the superuser on the server that a ward runs.
fn administrator(owner: &Ward) -> String {
    let url = owner.database_url("spare");
    let place = url.split('@').nth(1).expect("an address").split('/').next().expect("a host");
    format!("postgres://postgres:{}@{place}/postgres", owner.superuser_password())
}

/// An application with a database named `spare`, which takes no name from the one under test.
fn spare_application(directory: &TempDir) -> std::path::PathBuf {
    let migrations = directory.path().join("migrations");
    fs::create_dir(&migrations).expect("a directory");
    write(&migrations.join("V1__things.sql"), "CREATE TABLE things (id bigint PRIMARY KEY);\n");
    let manifest = directory.path().join("spin.toml");
    let source = wasm("guest_hello");
    let text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"spare\"\n\
         [variables]\nspare_db_url = {{ required = true, secret = true }}\n\
         [[trigger.http]]\nroute = \"/hello\"\ncomponent = \"hello\"\n\
         [component.hello]\nsource = \"{}\"\n\
         [component.hello.tool.ward.database]\nname = \"spare\"\nvariable = \"spare_db_url\"\n\
         migrations = \"migrations\"\n",
        source.display()
    );
    write(&manifest, &text);
    manifest
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).expect("a file is written");
}
