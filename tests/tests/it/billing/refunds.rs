//! Refunds: money that is given back is in the ledger's terms as little a payment as a charge, and
//! never more than was paid.

use futures::future::join_all;
use serde_json::{Value, json};
use ward_tests::{Api, Ward};

use super::{ACCOUNTS, balance, booking, open, post, posted, set_status, slug, voiding};

/// What is in cash of an account, and what was earned.
async fn ledger(ward: &Ward, account: &str) -> [i64; 2] {
    let query = "SELECT coalesce(sum(p.amount) FILTER (WHERE ledger = 'CASH'), 0) AS cash, \
        coalesce(-sum(p.amount) FILTER (WHERE ledger = 'REVENUE'), 0) AS revenue \
        FROM entries e JOIN postings p ON p.entry_id = e.id WHERE account_id = $1::text::uuid";
    let rows = ward.database("billing").await.rows(query, &[&account]).await;
    ["cash", "revenue"].map(|name| rows[0][name].as_i64().expect("a number"))
}

async fn refused(api: &Api, account: &str, what: &str, body: &Value) {
    let before = balance(api, account).await;
    assert_eq!(slug(&post(api, account, what, body).await.problem(409)), "refund-not-covered");
    assert_eq!(balance(api, account).await, before);
}

#[tokio::test]
async fn an_overpayment_is_given_back() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let account = open(&api).await;
    posted(&api, &account, "charges", &booking(10_000)).await;
    posted(&api, &account, "payments", &booking(12_000)).await;
    let body = booking(2_000);
    let refund = posted(&api, &account, "refunds", &body).await;
    assert_eq!(refund["kind"], "REFUND");
    assert_eq!(refund["amount"], json!({"minorUnits": 2000, "currency": "EUR"}));
    assert_eq!(refund["balanceAfter"]["minorUnits"], 0);
    assert_eq!(ledger(ward, &account).await, [10_000, 10_000]);
    let again = post(&api, &account, "refunds", &body).await;
    assert_eq!((again.status, again.json()), (200, refund.clone()));
    let other = json!({"id": body["id"], "amount": body["amount"], "description": "Other"});
    assert_eq!(slug(&post(&api, &account, "refunds", &other).await.problem(409)), "conflict");
    let statement = api.get(&format!("{ACCOUNTS}/{account}/statement")).await.json();
    assert_eq!(statement["entries"][2], refund);
    let rows = ward.database("billing").await;
    let query = "SELECT o.type, l.action, o.payload -> 'entry' ->> 'kind' AS kind \
        FROM outbox o, audit_log l WHERE o.payload -> 'entry' ->> 'id' = $1 \
        AND l.entry_id = $1::text::uuid AND l.outcome = 'SUCCESS'";
    let id = refund["id"].as_str().expect("an id");
    let left = rows.rows(query, &[&id]).await;
    assert_eq!(left, [json!({"type": "REFUND_RECORDED", "action": "REFUND", "kind": "REFUND"})]);
}

#[tokio::test]
async fn no_more_is_given_back_than_was_paid() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let account = open(&api).await;
    refused(&api, &account, "refunds", &booking(1)).await;
    posted(&api, &account, "charges", &booking(500)).await;
    refused(&api, &account, "refunds", &booking(1)).await;
    let first = posted(&api, &account, "payments", &booking(300)).await;
    refused(&api, &account, "refunds", &booking(301)).await;
    let refund = posted(&api, &account, "refunds", &booking(200)).await;
    refused(&api, &account, "refunds", &booking(101)).await;
    // What has gone back cannot be taken back as well.
    refused(&api, &account, "voids", &voiding(&first)).await;
    posted(&api, &account, "voids", &voiding(&refund)).await;
    posted(&api, &account, "voids", &voiding(&first)).await;
    refused(&api, &account, "refunds", &booking(1)).await;
    assert_eq!(ledger(ward, &account).await, [0, 500]);
}

#[tokio::test]
async fn of_many_refunds_no_more_are_made_than_was_paid() {
    let ward = Ward::shared();
    let api = ward.user().await;
    for _ in 0..3 {
        let account = open(&api).await;
        let paid = posted(&api, &account, "payments", &booking(1_000)).await;
        let bodies: Vec<Value> = (0..20).map(|_| booking(300)).collect();
        let void = voiding(&paid);
        let refunds = join_all(bodies.iter().map(|body| post(&api, &account, "refunds", body)));
        let (answers, void) = tokio::join!(refunds, post(&api, &account, "voids", &void));
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        match void.status {
            201 => assert_eq!(made, 0),
            _ => assert_eq!((void.status, made), (409, 3)),
        }
        assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)), "{answers:?}");
        let [cash, _] = ledger(ward, &account).await;
        assert!(cash == 100 || cash == 0, "{cash}");
    }
}

/// The database says it, too: no other writer gets around it.
#[tokio::test]
async fn nobody_gives_back_more_by_other_ways() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let account = open(&api).await;
    posted(&api, &account, "payments", &booking(100)).await;
    let statement = "WITH made AS (INSERT INTO entries (id, account_id, account_version, kind, \
        amount, currency, balance_after, description) VALUES (gen_random_uuid(), \
        $1::text::uuid, 3, 'REFUND', 101, 'EUR', 1, 'x') RETURNING *), sides AS (\
        INSERT INTO postings (entry_id, ledger, amount) SELECT id, 'RECEIVABLE', amount FROM made \
        UNION ALL SELECT id, 'CASH', -amount FROM made) \
        UPDATE accounts SET balance = 1, version = 3 WHERE id = $1::text::uuid";
    let database = ward.database("billing").await;
    let error = database.run(statement, &[&account]).await.expect_err("a refusal");
    assert!(error.contains("more would be given back"), "{error}");
}

#[tokio::test]
async fn who_may_and_when() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let account = open(&api).await;
    posted(&api, &account, "payments", &booking(100)).await;
    let (guest, _) = ward.with_role("GUEST");
    post(&guest, &account, "refunds", &booking(1)).await.problem(403);
    for status in ["SUSPENDED", "CLOSED"] {
        set_status(ward, &account, status).await;
        posted(&api, &account, "refunds", &booking(10)).await;
    }
    let mut dollars = booking(1);
    dollars["amount"]["currency"] = json!("USD");
    let answer = post(&api, &account, "refunds", &dollars).await;
    assert_eq!(answer.failing_fields(), ["/amount/currency"]);
    for amount in [json!(0), json!(-1), json!(1.5), json!("1")] {
        let mut body = booking(1);
        body["amount"]["minorUnits"] = amount;
        let answer = post(&api, &account, "refunds", &body).await;
        assert_eq!(answer.failing_fields(), ["/amount/minorUnits"]);
    }
}
