//! Statements: the account and its entries, oldest first, a page at a time.

use serde_json::Value;
use ward_tests::{Api, Ward};

use super::{ACCOUNTS, booking, open, posted, voiding};

#[tokio::test]
async fn a_statement_shows_the_account_and_its_entries() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let path = format!("{ACCOUNTS}/{account}/statement");
    let empty = api.get(&path).await;
    assert_eq!(empty.json()["entries"], Value::Array(Vec::new()));
    assert_eq!(empty.next_link(), None);

    let charge = posted(&api, &account, "charges", &booking(300)).await;
    let payment = posted(&api, &account, "payments", &booking(100)).await;
    let reversal = posted(&api, &account, "voids", &voiding(&charge)).await;
    let statement = api.get(&path).await;
    assert_eq!(statement.status, 200, "{statement:?}");
    let own = api.get(&format!("{ACCOUNTS}/{account}")).await;
    assert_eq!(statement.json()["account"], own.json());
    assert_eq!(statement.header("etag"), own.header("etag"));
    assert_eq!(statement.json()["entries"], Value::Array(vec![charge, payment, reversal]));
    assert_eq!(statement.next_link(), None);
}

#[tokio::test]
async fn pages_show_every_entry_once_while_others_are_booked() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let mut booked = Vec::new();
    for amount in 1..=7 {
        booked.push(posted(&api, &account, "charges", &booking(amount)).await);
    }
    let mut seen = Vec::new();
    let mut next = Some(format!("{ACCOUNTS}/{account}/statement?limit=3"));
    while let Some(path) = next {
        let page = page(&api, &path, &mut seen).await;
        if seen.len() == 3 {
            booked.push(posted(&api, &account, "charges", &booking(8)).await);
        }
        next = page;
    }
    assert_eq!(seen, booked);
}

/// Adds a page's entries; the next page's address.
async fn page(api: &Api, path: &str, seen: &mut Vec<Value>) -> Option<String> {
    let answer = api.get(path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let entries = answer.json()["entries"].as_array().expect("an array").clone();
    assert!((1..=3).contains(&entries.len()), "{entries:?}");
    seen.extend(entries);
    answer.next_link()
}

#[tokio::test]
async fn a_link_leads_on_in_its_own_statement_only() {
    let api = Ward::shared().user().await;
    let (account, other) = (open(&api).await, open(&api).await);
    for amount in [1, 2] {
        posted(&api, &account, "charges", &booking(amount)).await;
    }
    let first = api.get(&format!("{ACCOUNTS}/{account}/statement?limit=1")).await;
    let next = first.next_link().expect("a second page");
    assert_eq!(api.get(&next).await.json()["entries"][0]["amount"]["minorUnits"], 2);
    let elsewhere = next.replace(&account, &other);
    let problem = api.get(&elsewhere).await.problem(400);
    assert_eq!(problem["errors"][0]["parameter"], "after");
    let query = next.split_once('?').expect("a query").1;
    api.get(&format!("{ACCOUNTS}?{query}")).await.problem(400);
}
