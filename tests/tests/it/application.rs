//! A second application on the same binary, with other names for everything: the host has from the
//! manifest what a start makes, and nothing from the product.

use std::fs;
use std::path::PathBuf;

use ed25519_compact::{PublicKey, SecretKey};
use ward_tests::{Api, Forge, Options, Repository, Ward};

fn manifest() -> PathBuf {
    Repository::here().root().join("tests/application/spin.toml")
}

#[tokio::test]
async fn another_application_has_its_database_its_keys_and_its_guide() {
    let options = Options::manifest(&manifest());
    let mut ward = Ward::start(Options { demo: true, ..options });
    assert_guide(&ward, "guides/demo.txt");
    assert!(!ward.log().contains("shelf:\n  curl '{{"), "{}", ward.log());

    let till = ward.api();
    let (seal, check) = (variable(&till, "seal").await, variable(&till, "seal_check").await);
    let (private, public) =
        (SecretKey::from_pem(&seal).unwrap(), PublicKey::from_pem(&check).unwrap());
    assert_eq!(private.public_key(), public);

    // Its address is that of ward's own server, and so is the host that the manifest allows.
    let url = variable(&till, "stock_url").await;
    let sql = "SELECT count(*) FROM things";
    let counted = ask(&till, "/pg/query", &[("url", &url), ("sql", sql)]).await;
    assert!(counted.contains("Int64(2)"), "the demo data: {counted}");
    ask(&till, "/kv/set", &[("key", "shelf"), ("value", "tea")]).await;
    assert!(ward.stop().success(), "{}", ward.log());

    ward.start_again();
    let till = ward.api();
    assert_eq!(variable(&till, "seal").await, seal, "made once");
    assert_eq!(ask(&till, "/kv/get", &[("key", "shelf")]).await, "some tea");
    assert!(!ward.log().contains(seal.lines().nth(1).unwrap()), "a private key is in the log");
    assert!(ward.stop().success(), "{}", ward.log());
}

/// As it is when an earlier ward made the key: the file is named after its variable.
#[tokio::test]
async fn a_key_that_is_there_is_used_and_the_guide_without_demo_data_printed() {
    let home = Ward::new_home().keep();
    let forge = Forge::new();
    fs::create_dir(home.join("state")).unwrap();
    fs::write(home.join("state/seal.pem"), forge.private_pem()).unwrap();
    let options = Options::manifest(&manifest());
    let ward = tokio::task::spawn_blocking(|| Ward::start_for_good(options, home)).await.unwrap();
    assert_guide(&ward, "guide.txt");
    let check = variable(&ward.api(), "seal_check").await;
    assert_eq!(check.trim(), forge.public_pem().trim());
}

/// Nothing is started with two keys that do not belong together.
#[test]
fn half_a_pair_is_refused() {
    let state = tempfile::tempdir().expect("a directory");
    let (state, from) = (state.path().display().to_string(), manifest().display().to_string());
    for (given, absent) in [("seal", "seal_check"), ("seal_check", "seal")] {
        let value = format!("{given}=x");
        let arguments = [
            "up",
            "--listen",
            "127.0.0.1:0",
            "--from",
            &from,
            "--state-dir",
            &state,
            "--variable",
            &value,
        ];
        let output = Ward::run(&arguments, Repository::here().root());
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let expected = format!("`{given}` was given and `{absent}`, which belongs to it, was not");
        assert!(text.contains(&expected) && !text.contains("PostgreSQL"), "{text}");
    }
}

/// The guide was printed as it is, between the addresses and the last line.
fn assert_guide(ward: &Ward, file: &str) {
    let guide = Repository::here().read(&format!("tests/application/{file}"));
    let guide = guide.replace("{{ gateway }}", ward.gateway());
    let log = ward.log();
    assert!(log.contains(&format!("\n\n{guide}\nCtrl-C stops")), "{guide} in {log}");
}

async fn variable(till: &Api, name: &str) -> String {
    ask(till, "/variable", &[("name", name)]).await
}

/// What the component reports, which has to be a success.
async fn ask(till: &Api, path: &str, query: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://till/", query).expect("a query");
    let answer = till.get(&format!("{path}?{}", url.query().expect("a query"))).await;
    let found = answer.body.strip_prefix("ok ").map(str::to_owned);
    found.unwrap_or_else(|| panic!("{path}: {answer:?}"))
}
