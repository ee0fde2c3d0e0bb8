//! `ward user` and `ward keys`: what an operator does beside a ward that runs, and without one.

use serde_json::Value;
use std::process::Output;
use ward_tests::{Api, DEMO_EMAIL, DEMO_PASSWORD, Options, Ward, header_in};

const ADDRESS: &str = "ann@example.com";
const PASSWORD: &str = "four words nobody guesses";

/// What a command says that succeeds.
fn done(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    text
}

/// What a command complains of that fails.
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn started(options: Options) -> Ward {
    tokio::task::spawn_blocking(|| Ward::start(options)).await.expect("a ward")
}

async fn is_good(api: &Api) -> bool {
    api.get("/auth/validate").await.status == 200
}

#[tokio::test]
async fn the_first_administrator_comes_from_the_command_line() {
    let mut ward = started(Options::default()).await;
    ward.api().login(DEMO_EMAIL, DEMO_PASSWORD).await.problem(401);
    let add = |address: &str, role: &str, input: &str| {
        ward.beside(&["user", "add", address, "--role", role, "--name", "Ann Lee"], input)
    };
    assert!(refused(&add(ADDRESS, "ADMIN", "password123\n")).contains("password must not be one"));
    assert!(refused(&add(ADDRESS, "ADMIN", "")).contains("password must not be empty"));
    assert!(refused(&add(ADDRESS, "OWNER", PASSWORD)).contains("role must be one of ADMIN,"));
    assert!(refused(&add("ann", "ADMIN", PASSWORD)).contains("email must be an e-mail address"));
    let said = done(&add(ADDRESS, "ADMIN", &format!("{PASSWORD}\n")));
    assert!(said.contains(ADDRESS) && !said.contains(PASSWORD), "{said}");
    assert!(refused(&add(ADDRESS, "NURSE", PASSWORD)).contains("in use"));
    let (admin, _) = ward.api().session(ADDRESS, PASSWORD).await;
    assert_eq!(admin.get("/auth/users").await.json().as_array().map(Vec::len), Some(1));
    let list: Value =
        serde_json::from_str(&done(&ward.beside(&["user", "list", "--format", "json"], "")))
            .expect("JSON");
    assert_eq!((&list[0]["email"], &list[0]["role"]), (&ADDRESS.into(), &"ADMIN".into()));
    let last = ward.beside(&["user", "disable", ADDRESS], "");
    assert!(refused(&last).contains("the last administrator"));
    done(&add("bob@example.com", "ADMIN", PASSWORD));
    done(&ward.beside(&["user", "set-password", "bob@example.com"], "another four words"));
    ward.api().login("bob@example.com", PASSWORD).await.problem(401);
    assert_eq!(ward.api().login("bob@example.com", "another four words").await.status, 200);
    let nobody = ward.beside(&["user", "disable", "nobody@example.com"], "");
    assert!(refused(&nobody).contains("nobody has this address"));
    done(&ward.beside(&["user", "disable", "ANN@example.com"], ""));
    ward.api().login(ADDRESS, PASSWORD).await.problem(401);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(!is_good(&admin).await, "the command has ended her sessions");
    // Without a ward that runs it brings its own PostgreSQL, and stops it again.
    ward = tokio::task::spawn_blocking(move || {
        assert!(ward.stop().success(), "{}", ward.log());
        done(&ward.beside(&["user", "add", "eve@example.com", "--role", "NURSE"], PASSWORD));
        ward.start_again();
        ward
    })
    .await
    .expect("a ward");
    assert_eq!(ward.api().login("eve@example.com", PASSWORD).await.status, 200);
    assert!(done(&ward.beside(&["user", "list"], "")).contains("ann@example.com  Ann Lee  (dis"));
}

#[tokio::test]
async fn keys_are_rotated_with_overlap() {
    let options = Options { own_keys: true, ..Options::demo() };
    let mut ward = started(options).await;
    let mut clients = vec![ward.user().await];
    for _ in 0..2 {
        ward = tokio::task::spawn_blocking(move || {
            done(&ward.beside(&["keys", "rotate"], ""));
            assert!(ward.stop().success(), "{}", ward.log());
            ward.start_again();
            ward
        })
        .await
        .expect("a ward");
        clients.push(ward.user().await);
        // The last key's tokens are still good, and those of the one before it no longer.
        let known: Vec<String> = ward.api().get("/auth/.well-known/jwks.json").await.json()["keys"]
            .as_array()
            .expect("keys")
            .iter()
            .map(|key| key["kid"].as_str().expect("a name").to_owned())
            .collect();
        assert_eq!(known.len(), 2);
        let last = clients.len() - 1;
        for (at, client) in clients.iter().enumerate() {
            let here = ward.api().with_token(client.token());
            let good = at + 1 >= last;
            assert_eq!(is_good(&here).await, good, "{at} of {last}");
            let patients = here.get("/api/patients?limit=1").await.status;
            assert_eq!(patients, if good { 200 } else { 401 }, "{at} of {last}");
        }
        assert_eq!(header_in(clients[last].token())["kid"], known[0].as_str());
    }
}
