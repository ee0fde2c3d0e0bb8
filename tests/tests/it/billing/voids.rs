//! Undoing entries: by a reversing one, once.

use serde_json::json;
use ward_tests::{Answer, Ward};

use super::{ACCOUNTS, balance, booking, open, post, posted, set_status, slug, unique_id, voiding};

#[tokio::test]
async fn an_entry_is_undone_by_one_that_takes_it_back() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    for (what, left) in [("charges", 300), ("payments", -300)] {
        let entry = posted(&api, &account, what, &booking(300)).await;
        assert_eq!(balance(&api, &account).await, left);
        let body = voiding(&entry);
        let reversal = posted(&api, &account, "voids", &body).await;
        assert_eq!(reversal["kind"], "REVERSAL");
        assert_eq!(reversal["reverses"], entry["id"]);
        assert_eq!(reversal["amount"]["minorUnits"], -left);
        assert_eq!(balance(&api, &account).await, 0);
        let again = post(&api, &account, "voids", &body).await;
        assert_eq!((again.status, again.json()), (200, reversal), "{what}");
    }
}

#[tokio::test]
async fn an_entry_is_undone_once_and_a_reversal_never() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let entry = posted(&api, &account, "charges", &booking(300)).await;
    let reversal = posted(&api, &account, "voids", &voiding(&entry)).await;
    for entry in [&entry, &reversal] {
        let problem = post(&api, &account, "voids", &voiding(entry)).await.problem(409);
        assert_eq!(slug(&problem), "entry-not-reversible");
    }
    assert_eq!(balance(&api, &account).await, 0);
}

#[tokio::test]
async fn only_an_accounts_own_entries_are_undone() {
    let api = Ward::shared().user().await;
    let (account, other) = (open(&api).await, open(&api).await);
    let entry = posted(&api, &other, "charges", &booking(300)).await;
    for entry in [entry, json!({"id": unique_id()})] {
        let problem = post(&api, &account, "voids", &voiding(&entry)).await.problem(404);
        assert_eq!(problem["errors"][0]["pointer"], "/reverses");
    }
    let entry = json!({"id": unique_id()});
    post(&api, &unique_id(), "voids", &voiding(&entry)).await.problem(404);
}

#[tokio::test]
async fn an_id_that_was_used_for_something_else_is_refused() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    let first = posted(&api, &account, "charges", &booking(300)).await;
    let second = posted(&api, &account, "charges", &booking(500)).await;
    let mut body = voiding(&first);
    body["id"] = second["id"].clone();
    assert_eq!(slug(&post(&api, &account, "voids", &body).await.problem(409)), "conflict");
    let void = voiding(&first);
    posted(&api, &account, "voids", &void).await;
    let mut other = voiding(&second);
    other["id"] = void["id"].clone();
    assert_eq!(slug(&post(&api, &account, "voids", &other).await.problem(409)), "conflict");
    assert_eq!(balance(&api, &account).await, 500);
}

#[tokio::test]
async fn a_mistake_can_be_undone_whatever_became_of_the_account() {
    let ward = Ward::shared();
    let api = ward.user().await;
    for status in ["SUSPENDED", "CLOSED"] {
        let account = open(&api).await;
        let entry = posted(&api, &account, "charges", &booking(300)).await;
        set_status(ward, &account, status).await;
        posted(&api, &account, "voids", &voiding(&entry)).await;
        assert_eq!(balance(&api, &account).await, 0, "{status}");
    }
}

#[tokio::test]
async fn undoing_may_insist_on_a_version_and_takes_the_role() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let account = open(&api).await;
    let entry = posted(&api, &account, "charges", &booking(300)).await;
    let path = format!("{ACCOUNTS}/{account}/voids");
    let stale = api.request("POST", &path).header("if-match", "\"1\"").json(&voiding(&entry));
    Answer::of(stale).await.problem(412);
    let (nurse, _) = ward.with_role("NURSE");
    post(&nurse, &account, "voids", &voiding(&entry)).await.problem(403);
    let fresh = api.request("POST", &path).header("if-match", "\"2\"").json(&voiding(&entry));
    assert_eq!(Answer::of(fresh).await.status, 201);
}
