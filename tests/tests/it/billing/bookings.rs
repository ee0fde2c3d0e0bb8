//! Charges and payments: what they do to a balance, that a repeated one counts once, and what
//! keeps one from being booked.

use serde_json::json;
use ward_tests::{Answer, Ward};

use super::{ACCOUNTS, balance, booking, open, post, posted, set_status, slug, unique_id};

/// The largest amount of one entry, and ten of them the largest balance.
const AMOUNT_MAX: i64 = 100_000_000_000;

#[tokio::test]
async fn a_charge_adds_and_a_payment_takes_away() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let body = booking(1250);
    let charge = posted(&api, &account, "charges", &body).await;
    assert_eq!(charge["id"], body["id"]);
    assert_eq!(charge["accountId"], account);
    assert_eq!(charge["kind"], "CHARGE");
    assert_eq!(charge["amount"], json!({"minorUnits": 1250, "currency": "EUR"}));
    assert_eq!(charge["description"], "Consultation");
    assert!(charge["postedAt"].as_str().is_some_and(|time| time.ends_with('Z')), "{charge}");
    assert!(charge.get("reverses").is_none(), "{charge}");
    let payment = posted(&api, &account, "payments", &booking(2000)).await;
    assert_eq!(payment["kind"], "PAYMENT");
    assert_eq!(payment["amount"]["minorUnits"], -2000);
    assert_eq!(payment["balanceAfter"]["minorUnits"], -750);
    assert_eq!(balance(&api, &account).await, -750, "who pays too much has something to come");
}

#[tokio::test]
async fn a_repeated_booking_counts_once() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    for what in ["charges", "payments"] {
        let mut body = booking(700);
        let first = posted(&api, &account, what, &body).await;
        body["id"] = body["id"].as_str().expect("an id").to_uppercase().into();
        body["description"] = json!("  Consultation ");
        let again = post(&api, &account, what, &body).await;
        assert_eq!((again.status, again.json()), (200, first), "{what}");
    }
    assert_eq!(balance(&api, &account).await, 0);
}

#[tokio::test]
async fn an_id_that_was_used_for_something_else_is_refused() {
    let api = Ward::shared().user().await;
    let (account, other) = (open(&api).await, open(&api).await);
    let body = booking(700);
    posted(&api, &account, "charges", &body).await;
    let mut dearer = body.clone();
    dearer["amount"]["minorUnits"] = json!(701);
    let mut renamed = body.clone();
    renamed["description"] = json!("Something else");
    for (account, what, body) in [
        (&account, "charges", &dearer),
        (&account, "charges", &renamed),
        (&account, "payments", &body),
        (&other, "charges", &body),
    ] {
        let problem = post(&api, account, what, body).await.problem(409);
        assert_eq!(slug(&problem), "conflict");
        assert_eq!(problem["errors"][0]["pointer"], "/id");
    }
    assert_eq!((balance(&api, &account).await, balance(&api, &other).await), (700, 0));
}

#[tokio::test]
async fn another_currency_is_refused() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let mut body = booking(1);
    body["amount"]["currency"] = json!("USD");
    for what in ["charges", "payments"] {
        let answer = post(&api, &account, what, &body).await;
        assert_eq!(answer.failing_fields(), ["/amount/currency"]);
    }
    assert_eq!(balance(&api, &account).await, 0);
}

#[tokio::test]
async fn a_booking_may_insist_on_a_version() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let path = format!("{ACCOUNTS}/{account}/charges");
    let body = booking(5);
    let conditional = |etag: &'static str, body: &serde_json::Value| {
        Answer::of(api.request("POST", &path).header("if-match", etag).json(body))
    };
    let stale = conditional("\"7\"", &body).await.problem(412);
    assert_eq!(slug(&stale), "precondition-failed");
    conditional("1", &body).await.problem(400);
    assert_eq!(conditional("\"1\"", &body).await.status, 201);
    // The account has moved on, and by this very booking: to repeat it is still no mistake.
    assert_eq!(conditional("\"1\"", &body).await.status, 200);
    conditional("\"1\"", &booking(5)).await.problem(412);
    assert_eq!(conditional("*", &booking(5)).await.status, 201);
    assert_eq!(balance(&api, &account).await, 10);
}

#[tokio::test]
async fn an_account_that_is_not_active_takes_payments_and_no_charges() {
    let ward = Ward::shared();
    let api = ward.user().await;
    for status in ["SUSPENDED", "CLOSED"] {
        let account = open(&api).await;
        let before = booking(100);
        let charge = posted(&api, &account, "charges", &before).await;
        set_status(ward, &account, status).await;
        let problem = post(&api, &account, "charges", &booking(1)).await.problem(409);
        assert_eq!(slug(&problem), "account-not-active");
        let again = post(&api, &account, "charges", &before).await;
        assert_eq!((again.status, again.json()), (200, charge), "it was booked in time");
        posted(&api, &account, "payments", &booking(40)).await;
        assert_eq!(balance(&api, &account).await, 60, "{status}");
    }
}

#[tokio::test]
async fn a_balance_has_a_limit_on_both_sides() {
    let api = Ward::shared().user().await;
    for (what, sign) in [("charges", 1), ("payments", -1)] {
        let account = open(&api).await;
        for _ in 0..10 {
            posted(&api, &account, what, &booking(AMOUNT_MAX)).await;
        }
        assert_eq!(balance(&api, &account).await, sign * 10 * AMOUNT_MAX);
        let problem = post(&api, &account, what, &booking(1)).await.problem(409);
        assert_eq!(slug(&problem), "balance-limit");
        assert_eq!(balance(&api, &account).await, sign * 10 * AMOUNT_MAX);
    }
}

#[tokio::test]
async fn nobody_books_on_an_account_that_is_not_there() {
    let api = Ward::shared().user().await;
    for what in ["charges", "payments"] {
        post(&api, &unique_id(), what, &booking(1)).await.problem(404);
        post(&api, "1", what, &booking(1)).await.problem(400);
    }
}

#[tokio::test]
async fn booking_takes_the_role() {
    let ward = Ward::shared();
    let account = open(&ward.user().await).await;
    let (desk, _) = ward.with_role("RECEPTIONIST");
    for what in ["charges", "payments"] {
        let problem = post(&desk, &account, what, &booking(1)).await.problem(403);
        assert_eq!(slug(&problem), "forbidden");
    }
    assert_eq!(balance(&desk, &account).await, 0);
    let (bookkeeper, _) = ward.with_role("BILLING");
    posted(&bookkeeper, &account, "charges", &booking(1)).await;
}
