//! What the API does not show: events, audit rows, and a ledger that nobody can bend, not even
//! with the service's own password.

use serde_json::{Value, json};
use ward_tests::{Database, Ward};

use super::{ACCOUNTS, booking, open, opening, patient, post, posted, unique_id, voiding};

#[tokio::test]
async fn each_change_leaves_one_event() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let account = open(&api).await;
    let body = booking(300);
    let charge = posted(&api, &account, "charges", &body).await;
    post(&api, &account, "charges", &body).await;
    let payment = posted(&api, &account, "payments", &booking(100)).await;
    let reversal = posted(&api, &account, "voids", &voiding(&charge)).await;
    post(&api, &account, "voids", &voiding(&charge)).await.problem(409);
    let query = "SELECT * FROM outbox WHERE aggregate_id = $1::text::uuid ORDER BY seq";
    let events = ward.database("billing").await.rows(query, &[&account]).await;
    let seen: Vec<(&str, i64, i64, &Value)> = events
        .iter()
        .map(|event| {
            let kind = event["type"].as_str().expect("a text");
            let version = event["aggregate_version"].as_i64().expect("a number");
            let payload = &event["payload"];
            let balance = payload["balance"].as_i64().expect("a number");
            (kind, version, balance, &payload["entry"]["id"])
        })
        .collect();
    let expected = [
        ("ACCOUNT_OPENED", 1, 0, &Value::Null),
        ("CHARGE_POSTED", 2, 300, &charge["id"]),
        ("PAYMENT_RECORDED", 3, 200, &payment["id"]),
        ("ENTRY_VOIDED", 4, -100, &reversal["id"]),
    ];
    assert_eq!(seen, expected);
    for event in &events {
        assert_eq!(event["payload"]["id"], account);
        assert_eq!(event["payload"]["currency"], "EUR");
        assert!(!event.to_string().contains("Consultation"), "descriptions stay here: {event}");
    }
}

#[tokio::test]
async fn each_access_leaves_one_audit_row() {
    let ward = Ward::shared();
    let (api, user) = ward.with_role("ADMIN");
    let (patient, account) = patient(&api).await;
    let account = account.as_str();
    api.send_json("POST", ACCOUNTS, &opening(&patient)).await;
    api.get(&format!("{ACCOUNTS}/{account}")).await;
    api.get(&format!("/api/billing/patients/{patient}/account")).await;
    api.get(&format!("{ACCOUNTS}/{}", unique_id())).await.problem(404);
    api.get(&format!("{ACCOUNTS}?limit=1")).await;
    let body = booking(300);
    let charge = posted(&api, account, "charges", &body).await;
    post(&api, account, "charges", &body).await;
    let mut other = body.clone();
    other["amount"]["minorUnits"] = json!(301);
    post(&api, account, "charges", &other).await.problem(409);
    other["id"] = unique_id().into();
    other["amount"]["currency"] = json!("USD");
    post(&api, account, "payments", &other).await.problem(400);
    posted(&api, account, "voids", &voiding(&charge)).await;
    api.get(&format!("{ACCOUNTS}/{account}/statement?limit=1")).await;
    let query = "SELECT * FROM audit_log WHERE actor = $1::text::uuid ORDER BY seq";
    let rows = ward.database("billing").await.rows(query, &[&user]).await;
    let seen: Vec<[&str; 2]> = rows
        .iter()
        .map(|row| ["action", "outcome"].map(|member| row[member].as_str().expect("a text")))
        .collect();
    let expected = [
        ["OPEN", "SUCCESS"],
        ["OPEN", "REPEATED"],
        ["READ", "SUCCESS"],
        ["READ", "SUCCESS"],
        ["READ", "NOT_FOUND"],
        ["LIST", "SUCCESS"],
        ["CHARGE", "SUCCESS"],
        ["CHARGE", "REPEATED"],
        ["CHARGE", "CONFLICT"],
        ["PAYMENT", "REFUSED"],
        ["VOID", "SUCCESS"],
        ["STATEMENT", "SUCCESS"],
    ];
    assert_eq!(seen, expected);
    for row in rows.iter().filter(|row| row["outcome"] != "NOT_FOUND" && row["action"] != "LIST") {
        assert_eq!((&row["account_id"], &row["patient_id"]), (&json!(account), &json!(patient)));
    }
    assert_eq!(rows[11]["row_count"], 1);
    assert!(rows.iter().all(|row| row["role"] == "ADMIN" && row["request_id"].is_string()));
    assert!(!json!(rows).to_string().contains("Consultation"), "no descriptions");
}

#[tokio::test]
async fn the_service_itself_cannot_bend_its_ledger() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let account = open(&api).await;
    let entry = posted(&api, &account, "charges", &booking(300)).await;
    let (account, entry) = (account.as_str(), entry["id"].as_str().expect("an id"));
    let database = ward.database("billing").await;
    let before = books(&database, account).await;
    let right = booked("'CHARGE', 5, 305", "('RECEIVABLE', 5), ('REVENUE', -5)");
    for statement in [
        "UPDATE entries SET amount = 1 WHERE id = 'ENTRY'",
        "DELETE FROM entries WHERE id = 'ENTRY'",
        "TRUNCATE entries CASCADE",
        "UPDATE postings SET amount = amount WHERE entry_id = 'ENTRY'",
        "DELETE FROM postings WHERE entry_id = 'ENTRY'",
        "TRUNCATE postings",
        "DELETE FROM accounts WHERE id = 'ACCOUNT'",
        "UPDATE accounts SET balance = 0, version = version + 1 WHERE id = 'ACCOUNT'",
        "UPDATE accounts SET currency = 'USD', version = version + 1 WHERE id = 'ACCOUNT'",
        "UPDATE accounts SET updated_at = now() WHERE id = 'ACCOUNT'",
        // A third side, one side only, sides that do not cancel out or are the wrong ones.
        "INSERT INTO postings VALUES ('ENTRY', 'CASH', 5)",
        &booked("'CHARGE', 5, 305", "('RECEIVABLE', 5)"),
        &booked("'CHARGE', 5, 305", "('RECEIVABLE', 5), ('REVENUE', -4)"),
        &booked("'CHARGE', 5, 305", "('CASH', 5), ('REVENUE', -5)"),
        // A balance that does not follow, a sign that is wrong, an account that is not told.
        &booked("'CHARGE', 5, 306", "('RECEIVABLE', 5), ('REVENUE', -5)"),
        &booked("'PAYMENT', 5, 305", "('RECEIVABLE', 5), ('CASH', -5)"),
        &right.replace("WHERE id", "WHERE false AND id"),
        "UPDATE audit_log SET outcome = 'SUCCESS'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ] {
        let statement = statement.replace("ACCOUNT", account).replace("ENTRY", entry);
        assert!(database.run(&statement, &[]).await.is_err(), "{statement}");
    }
    assert_eq!(books(&database, account).await, before);
    // What was tried differs from what is right in one thing each time.
    let right = right.replace("ACCOUNT", account);
    assert_eq!(database.run(&right, &[]).await, Ok(2));
    assert_eq!(books(&database, account).await.len(), before.len() + 2);
}

/// Books an entry (kind, amount, balance after it) with these sides, beside the service.
fn booked(entry: &str, sides: &str) -> String {
    format!(
        "WITH made AS (INSERT INTO entries (id, account_id, account_version, kind, amount, \
         balance_after, currency, description) SELECT gen_random_uuid(), 'ACCOUNT', 3, {entry}, \
         'EUR', 'x' RETURNING *), \
         changed AS (UPDATE accounts SET balance = (SELECT balance_after FROM made), version = 3 \
         WHERE id = 'ACCOUNT') \
         INSERT INTO postings SELECT id, ledger, side FROM made, \
         (VALUES {sides}) AS sides (ledger, side)"
    )
}

/// All there is about an account.
async fn books(database: &Database, account: &str) -> Vec<Value> {
    let query = "SELECT to_jsonb(a) AS account, to_jsonb(e) AS entry, to_jsonb(p) AS posting \
                 FROM accounts a JOIN entries e ON e.account_id = a.id \
                 JOIN postings p ON p.entry_id = e.id WHERE a.id = $1::text::uuid \
                 ORDER BY e.account_version, p.ledger";
    database.rows(query, &[&account]).await
}
