//! The audit log as evidence: who serves cannot touch it, a change made by somebody else is found,
//! and a list tells whom it showed.

use serde_json::{Value, json};
use ward_tests::{Options, Patient, Ward, claims};

/// What the role that serves could do in a database of its own, and may not.
const FORBIDDEN: [&str; 13] = [
    "UPDATE audit_log SET outcome = 'x'",
    "DELETE FROM audit_log",
    "TRUNCATE audit_log",
    "ALTER TABLE audit_log DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_log_chain ON audit_log",
    "UPDATE audit_chain SET number = 0",
    "DELETE FROM audit_chain",
    "CREATE OR REPLACE FUNCTION audit_log_chain() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
    "DELETE FROM refinery_schema_history",
    "SELECT prune_audit(now() - interval '1 s')",
    "UPDATE audit_cuts SET number = 0",
    "DELETE FROM audit_cuts",
    "DROP TRIGGER audit_log_stays ON audit_log",
];

#[tokio::test]
async fn who_serves_cannot_touch_the_log() {
    let ward = Ward::shared();
    for service in ["auth", "patients", "billing", "analytics"] {
        let database = ward.database(service).await;
        for statement in FORBIDDEN {
            let refused = database.run(statement, &[]).await.expect_err(statement);
            let denied =
                ["42501", "InsufficientPrivilege"].iter().any(|code| refused.contains(code));
            assert!(denied, "{service}: {statement}: {refused}");
        }
        let roles = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' \
            AND tableowner = current_user";
        assert_eq!(database.rows(roles, &[]).await, Vec::<Value>::new(), "{service}");
    }
}

#[tokio::test]
async fn a_list_tells_whom_it_showed() {
    let ward = Ward::shared();
    let mut own = claims();
    own["sub"] = uuid::Uuid::new_v4().to_string().into();
    let actor = own["sub"].as_str().expect("a subject").to_owned();
    let api = ward.api().with_token(&ward.forge().sign(&own));
    for path in [
        "/api/patients?limit=3",
        "/api/patients?limit=3&sort=-dateOfBirth",
        "/api/patients/search",
        "/api/billing/accounts?limit=2",
        "/api/analytics/events?limit=2",
    ] {
        let service = path.split(['/', '?']).nth(2).expect("a service");
        let answer = match path.ends_with("/search") {
            true => api.search(&json!({"name": "nobody of this name"})).await.json(),
            false => api.get(path).await.json(),
        };
        let rows = answer.as_array().cloned().unwrap_or_default();
        let id = |row: &Value| row.get("patientId").unwrap_or(&row["id"]).clone();
        let mut expected: Vec<String> =
            rows.iter().map(|row| id(row).as_str().expect("an id").to_owned()).collect();
        expected.sort();
        expected.dedup();
        let sql = "SELECT shown, row_count FROM audit_log WHERE actor = $1::text::uuid \
            ORDER BY seq DESC LIMIT 1";
        let noted = ward.database(service).await.rows(sql, &[&actor]).await.remove(0);
        let mut shown: Vec<String> =
            serde_json::from_value(noted["shown"].clone()).unwrap_or_default();
        shown.sort();
        assert_eq!(shown, expected, "{path}");
        assert_eq!(noted["row_count"], rows.len(), "{path}");
    }
}

#[tokio::test]
async fn what_somebody_changed_is_found() {
    let mut ward = Ward::start(Options::demo());
    let api = ward.user().await;
    for _ in 0..5 {
        api.created(&Patient::unique().json()).await;
    }
    let whole = verify(&ward);
    assert!(whole.0 && whole.1.contains("patients: 5 rows, whole"), "{whole:?}");
    let database = ward.administrator("patients").await;
    let free = "ALTER TABLE audit_log DISABLE TRIGGER ALL";
    let seq = |at: usize| {
        let sql = "SELECT seq FROM audit_log ORDER BY chain_lane, chain_number";
        let database = &database;
        async move { database.rows(sql, &[]).await[at]["seq"].as_i64().expect("a number") }
    };
    database.run(free, &[]).await.expect("a superuser may");
    let keep = "CREATE TABLE kept AS SELECT * FROM audit_log";
    database.run(keep, &[]).await.expect("a copy");
    let second = seq(1).await;
    for (change, expected) in [
        (format!("UPDATE audit_log SET outcome = 'DENIED' WHERE seq = {second}"), "BROKEN"),
        (format!("UPDATE audit_log SET actor = NULL WHERE seq = {second}"), "BROKEN"),
        (format!("DELETE FROM audit_log WHERE seq = {second}"), "BROKEN"),
        ("UPDATE audit_log SET at = at + interval '1 s'".to_owned(), "was changed"),
        ("UPDATE audit_log SET chain_number = 10 - chain_number".to_owned(), "BROKEN"),
        ("DELETE FROM audit_log".to_owned(), "were removed"),
        (
            "INSERT INTO audit_log (role, action, outcome) VALUES ('X', 'READ', 'SUCCESS')"
                .to_owned(),
            "beside the chain",
        ),
    ] {
        database.run(&change, &[]).await.expect("a superuser may");
        let (whole, text) = verify(&ward);
        assert!(!whole && text.contains(expected), "{change}: {text}");
        assert!(text.contains("billing: ") && text.contains("whole"), "{text}");
        database.run("DELETE FROM audit_log", &[]).await.expect("a superuser may");
        let back = "INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT * FROM kept";
        database.run(back, &[]).await.expect("as it was");
        assert!(verify(&ward).0, "after {change}");
    }
    // Without a ward that runs, too.
    assert!(ward.stop().success());
    assert!(verify(&ward).0);
    assert_eq!(verify(&ward).1.matches("rows, whole").count(), 4);
}

/// Whether all logs are whole, and what is said of them.
fn verify(ward: &Ward) -> (bool, String) {
    verify_with(ward, &[])
}

fn verify_with(ward: &Ward, arguments: &[&str]) -> (bool, String) {
    let output = ward.beside(&[&["audit", "verify"], arguments].concat(), "");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

/// The database's administrator can rewrite log and chain alike, and not what is elsewhere.
#[tokio::test]
async fn what_was_rewritten_with_its_chain_is_found_by_what_was_kept() {
    let ward = Ward::start(Options::demo());
    let api = ward.user().await;
    for _ in 0..3 {
        api.created(&Patient::unique().json()).await;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("kept");
    let path = file.to_str().expect("a path in UTF-8");
    let missing = ward.beside(&["audit", "verify", "--kept", path], "");
    assert!(!missing.status.success() && missing.stdout.is_empty(), "{missing:?}");
    let (whole, kept) = verify_with(&ward, &["--heads"]);
    assert!(whole && kept.contains("\nhead patients "), "{kept}");
    std::fs::write(&file, &kept).expect("a file");
    api.created(&Patient::unique().json()).await;
    let (whole, text) = verify_with(&ward, &["--kept", path]);
    assert!(whole && text.contains("kept ends are in it"), "{text}");

    let database = ward.administrator("patients").await;
    for statement in [
        "ALTER TABLE audit_log DISABLE TRIGGER ALL",
        "DELETE FROM audit_log",
        "DELETE FROM audit_chain",
    ] {
        database.run(statement, &[]).await.expect("a superuser may");
    }
    let (whole, text) = verify(&ward);
    assert!(whole && text.contains("patients: 0 rows, whole"), "the chain alone knows: {text}");
    let (whole, text) = verify_with(&ward, &["--kept", path]);
    assert!(!whole && text.contains("patients: BROKEN: row "), "{text}");
    assert!(text.contains("which was kept, is not there"), "{text}");
}

#[tokio::test]
async fn what_is_old_goes_and_what_stays_is_whole() {
    let ward = Ward::start(Options::demo());
    ward.user().await.created(&Patient::unique().json()).await;
    // A session of its own is a lane of its own, with old rows, and then young ones.
    let database = ward.database("patients").await;
    for (age, rows) in [("7 years", 5), ("0 years", 2)] {
        let sql = "INSERT INTO audit_log (at, role, action, outcome) \
            SELECT now() - $1::text::interval, 'X', 'READ', 'SUCCESS' FROM generate_series(1, $2)";
        database.run(sql, &[&age, &rows]).await.expect("whoever serves may add");
    }
    let (done, text) = prune(&ward, &["--older-than", "5y"]);
    assert!(!done && text.contains("--force"), "{text}");
    let (done, text) = prune(&ward, &["--older-than", "6y"]);
    assert!(done && text.contains("patients: 5 rows removed"), "{text}");
    assert!(text.contains("billing: 0 rows removed"), "{text}");
    let (whole, text) = verify(&ward);
    assert!(whole && text.contains("whole after 5 that were removed, the last of them"), "{text}");
    let left = "SELECT role, times FROM audit_log WHERE action = 'PRUNE'";
    let noted = database.rows(left, &[]).await;
    assert_eq!(noted, [json!({"role": "patients_prune", "times": 5})]);
    assert!(prune(&ward, &["--older-than", "6y"]).1.contains("patients: 0 rows removed"));

    let administrator = ward.administrator("patients").await;
    let superuser = |statement: &'static str| {
        let administrator = &administrator;
        async move { administrator.run(statement, &[]).await.expect(statement) }
    };
    superuser("ALTER TABLE audit_log DISABLE TRIGGER ALL").await;
    superuser("CREATE TABLE kept AS SELECT * FROM audit_log").await;
    superuser("CREATE TABLE kept_cuts AS SELECT * FROM audit_cuts").await;
    for change in [
        "DELETE FROM audit_log WHERE role = 'X'",
        "UPDATE audit_log SET role = 'Y' WHERE role = 'X'",
        "UPDATE audit_cuts SET number = number - 1",
        "UPDATE audit_cuts SET digest = ''",
        "DELETE FROM audit_cuts",
        // As if it had been removed in order, which the log would tell of.
        "WITH gone AS (DELETE FROM audit_log WHERE seq = (SELECT min(seq) FROM audit_log \
            WHERE role = 'X') RETURNING chain_number AS n, chain_digest AS d) \
            UPDATE audit_cuts SET number = n, digest = d FROM gone",
    ] {
        superuser(change).await;
        let (whole, text) = verify(&ward);
        assert!(!whole && text.contains("patients: BROKEN"), "{change}: {text}");
        superuser("DELETE FROM audit_log").await;
        superuser("INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT * FROM kept").await;
        superuser("DELETE FROM audit_cuts").await;
        superuser("INSERT INTO audit_cuts SELECT * FROM kept_cuts").await;
        assert!(verify(&ward).0, "after {change}");
    }
    superuser("ALTER TABLE audit_log ENABLE TRIGGER ALL").await;
    let error = administrator.run("DELETE FROM audit_log", &[]).await.expect_err("nobody slips");
    assert!(error.contains("only grows"), "{error}");
    let (done, text) = prune(&ward, &["--older-than", "0d", "--force"]);
    assert!(done && !text.contains("patients: 0 rows"), "{text}");
    assert!(verify(&ward).0);
}

/// Whether old rows were removed, and what is said of that.
fn prune(ward: &Ward, arguments: &[&str]) -> (bool, String) {
    let output = ward.beside(&[&["audit", "prune"], arguments].concat(), "");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
