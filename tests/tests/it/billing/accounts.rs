//! Opening, reading and listing accounts.

use serde_json::json;
use std::collections::BTreeSet;
use ward_tests::{Answer, Api, Ward};

use super::{ACCOUNTS, booking, open, opening, patient, posted, set_status, slug, unique_id};

#[tokio::test]
async fn who_asks_for_an_account_gets_the_one_that_the_patient_has() {
    let api = Ward::shared().user().await;
    let (patient, id) = patient(&api).await;
    for spelling in [patient.clone(), patient.to_uppercase()] {
        let answer = api.send_json("POST", ACCOUNTS, &opening(&spelling)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let account = answer.json();
        assert_eq!((&account["id"], &account["patientId"]), (&json!(id), &json!(patient)));
        assert_eq!(account["status"], "ACTIVE");
        assert_eq!(account["balance"], json!({"minorUnits": 0, "currency": "EUR"}));
        assert_eq!(account["version"], 1);
        assert_eq!(answer.header("content-location"), format!("{ACCOUNTS}/{id}"));
        assert_eq!(answer.header("etag"), "\"1\"");
    }
}

#[tokio::test]
async fn nobody_gets_an_account_who_is_no_patient() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let stranger = unique_id();
    let refused = api.send_json("POST", ACCOUNTS, &opening(&stranger)).await.problem(404);
    assert_eq!(slug(&refused), "not-found");
    let database = ward.database("billing").await;
    let accounts = "SELECT 1 FROM accounts WHERE patient_id = $1::text::uuid";
    assert!(database.rows(accounts, &[&stranger]).await.is_empty());
    let noted = "SELECT action, outcome FROM audit_log WHERE patient_id = $1::text::uuid";
    let expected = json!({"action": "OPEN", "outcome": "NOT_FOUND"});
    assert_eq!(database.rows(noted, &[&stranger]).await, [expected]);
}

#[tokio::test]
async fn of_the_patient_only_the_id_is_kept() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let body = opening(&patient(&api).await.0);
    let answer = api.send_json("POST", ACCOUNTS, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let database = ward.database("billing").await;
    for table in ["accounts", "outbox", "audit_log"] {
        let column = if table == "outbox" { "payload" } else { "to_jsonb(t)" };
        let query = format!("SELECT 1 FROM {table} t WHERE ({column})::text LIKE $1");
        for member in ["name", "email"] {
            let pattern = format!("%{}%", body[member].as_str().expect("a text"));
            assert!(database.rows(&query, &[&pattern]).await.is_empty(), "{member} in {table}");
        }
    }
}

#[tokio::test]
async fn an_account_is_read_by_its_id_and_by_its_patient() {
    let api = Ward::shared().user().await;
    let (patient, _) = patient(&api).await;
    let account = api.send_json("POST", ACCOUNTS, &opening(&patient)).await.json();
    let own = format!("{ACCOUNTS}/{}", account["id"].as_str().expect("an id"));
    let by_id = api.get(&own).await;
    assert_eq!((by_id.status, by_id.json()), (200, account.clone()));
    assert_eq!(by_id.header("etag"), "\"1\"");
    assert_eq!(by_id.header("cache-control"), "no-store");
    let by_patient = api.get(&format!("/api/billing/patients/{patient}/account")).await;
    assert_eq!((by_patient.status, by_patient.json()), (200, account));
    assert_eq!(by_patient.header("content-location"), own);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_no_id_400() {
    let api = Ward::shared().user().await;
    let id = unique_id();
    for path in [
        format!("{ACCOUNTS}/{id}"),
        format!("{ACCOUNTS}/{id}/statement"),
        format!("/api/billing/patients/{id}/account"),
        "/api/billing".to_owned(),
        format!("{ACCOUNTS}/{id}/nothing"),
        format!("/api/billing/patients/{id}"),
    ] {
        api.get(&path).await.problem(404);
    }
    for path in ["accounts/1", "accounts/1/statement", "patients/1/account"] {
        api.get(&format!("/api/billing/{path}")).await.problem(400);
    }
}

#[tokio::test]
async fn who_has_the_version_gets_304() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    for path in [format!("{ACCOUNTS}/{account}"), format!("{ACCOUNTS}/{account}/statement")] {
        let etag = api.get(&path).await.header("etag").to_owned();
        let known = api.request("GET", &path).header("if-none-match", &etag);
        let known = Answer::of(known).await;
        assert_eq!((known.status, known.body.as_str()), (304, ""));
        assert_eq!(known.header("etag"), etag);
        posted(&api, &account, "charges", &booking(1)).await;
        let changed = api.request("GET", &path).header("if-none-match", &etag);
        let changed = Answer::of(changed).await;
        assert_eq!(changed.status, 200);
        assert_ne!(changed.header("etag"), etag);
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    for path in [
        ACCOUNTS.to_owned(),
        format!("{ACCOUNTS}/{account}"),
        format!("{ACCOUNTS}/{account}/statement"),
    ] {
        let head = api.send("HEAD", &path).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert!(head.header("content-type").starts_with("application/json"), "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_refused_with_those_allowed() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    for (path, allowed) in [
        (ACCOUNTS.to_owned(), "GET, HEAD, POST, OPTIONS"),
        (format!("{ACCOUNTS}/{account}"), "GET, HEAD, OPTIONS"),
        (format!("{ACCOUNTS}/{account}/statement"), "GET, HEAD, OPTIONS"),
        (format!("{ACCOUNTS}/{account}/charges"), "POST, OPTIONS"),
        (format!("{ACCOUNTS}/{account}/payments"), "POST, OPTIONS"),
        (format!("{ACCOUNTS}/{account}/refunds"), "POST, OPTIONS"),
        (format!("{ACCOUNTS}/{account}/voids"), "POST, OPTIONS"),
        (format!("/api/billing/patients/{account}/account"), "GET, HEAD, OPTIONS"),
    ] {
        for method in ["PUT", "DELETE", "PATCH"] {
            let answer = api.send(method, &path).await;
            answer.problem(405);
            assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        }
        let options = api.send("OPTIONS", &path).await;
        assert_eq!((options.status, options.header("allow")), (204, allowed), "{path}");
    }
}

#[tokio::test]
async fn pages_show_every_account_once_in_order() {
    let api = Ward::shared().user().await;
    let mut mine = BTreeSet::new();
    for _ in 0..7 {
        mine.insert(open(&api).await);
    }
    let listed = walk(&api, &format!("{ACCOUNTS}?limit=500")).await;
    let seen: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(seen.len(), listed.len(), "none twice");
    assert!(listed.is_sorted(), "in order of ids");
    assert!(mine.is_subset(&seen), "none missing");

    // In small steps, beginning just before the first of mine.
    let small = walk(&api, &format!("{ACCOUNTS}?limit=3")).await;
    assert!(mine.is_subset(&small.into_iter().collect()), "none missing in small pages");
}

/// The ids of all accounts from this page on.
async fn walk(api: &Api, path: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page = api.get(&path).await;
        assert_eq!(page.status, 200, "{page:?}");
        let page_ids = page.json();
        let page_ids = page_ids.as_array().expect("an array");
        let id = |account: &serde_json::Value| account["id"].as_str().expect("an id").to_owned();
        ids.extend(page_ids.iter().map(id));
        next = page.next_link();
    }
    ids
}

#[tokio::test]
async fn odd_questions_are_refused_by_parameter() {
    let api = Ward::shared().user().await;
    let account = open(&api).await;
    for list in [ACCOUNTS.to_owned(), format!("{ACCOUNTS}/{account}/statement")] {
        for (query, parameter) in [
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=x", "limit"),
            ("after=x", "after"),
            ("sort=name", "sort"),
            ("limit=1&limit=1", "limit"),
        ] {
            let problem = api.get(&format!("{list}?{query}")).await.problem(400);
            assert_eq!(problem["errors"][0]["parameter"], parameter, "{list}?{query}");
        }
    }
}

#[tokio::test]
async fn a_closed_account_stays_closed_when_it_is_opened_again() {
    let ward = Ward::shared();
    let api = ward.user().await;
    let (patient, account) = patient(&api).await;
    set_status(ward, &account, "CLOSED").await;
    let again = api.send_json("POST", ACCOUNTS, &opening(&patient)).await;
    assert_eq!((again.status, &again.json()["status"]), (200, &json!("CLOSED")));
}

#[tokio::test]
async fn the_services_own_port_is_guarded_and_serves_nothing_else() {
    let ward = Ward::shared();
    let own = Api::new(ward.listener("billing").expect("billing has a port of its own"));
    own.get(ACCOUNTS).await.problem(401);
    let token = ward.user().await.token().to_owned();
    let user = own.with_token(&token);
    assert_eq!(user.get(&format!("{ACCOUNTS}?limit=1")).await.status, 200);
    let problem = user.get("/api/patients").await;
    assert_eq!(problem.status, 404, "{problem:?}");
}

#[tokio::test]
async fn who_may_look_may_not_book() {
    let ward = Ward::shared();
    let account = open(&ward.user().await).await;
    let (desk, _) = ward.with_role("RECEPTIONIST");
    assert_eq!(desk.get(&format!("{ACCOUNTS}/{account}")).await.status, 200);
    for what in ["charges", "payments", "refunds", "voids"] {
        let refused = super::post(&desk, &account, what, &booking(1)).await;
        assert_eq!(slug(&refused.problem(403)), "forbidden");
        let expected = "Bearer realm=\"ward\", error=\"insufficient_scope\", \
                        scope=\"billing.write\"";
        assert_eq!(refused.header("www-authenticate"), expected);
    }
    let statement = desk.get(&format!("{ACCOUNTS}/{account}/statement")).await.json();
    assert_eq!(statement["entries"], json!([]), "nothing was booked");
}
