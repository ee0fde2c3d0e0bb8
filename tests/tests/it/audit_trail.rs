//! What an auditor learns: who did what to whom, by any of it, a page at a time. That nobody else
//! learns it is in `roles.rs`.

use serde_json::Value;
use ward_tests::{Api, Patient, Ward, claims_of};

/// Somebody of this role whom nobody else is, and the id.
fn somebody(ward: &Ward, role: &str) -> (Api, String) {
    let mut own = claims_of(role);
    own["sub"] = uuid::Uuid::new_v4().to_string().into();
    let id = own["sub"].as_str().expect("a subject").to_owned();
    (ward.api().with_token(&ward.forge().sign(&own)), id)
}

async fn rows(auditor: &Api, question: &str) -> Vec<Value> {
    let answer = auditor.get(&format!("/api/audit/{question}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().as_array().expect("a list").clone()
}

fn actions(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["action"].as_str().expect("a code")).collect()
}

#[tokio::test]
async fn what_somebody_did_is_found_by_who_whom_what_and_when() {
    let ward = Ward::shared();
    let (nurse, who) = somebody(ward, "NURSE");
    let (auditor, auditors_id) = somebody(ward, "AUDITOR");
    let created = nurse.created(&Patient::unique().json()).await;
    let id = created["id"].as_str().expect("an id");
    nurse.get(&format!("/api/patients/{id}")).await;
    nurse.search(&serde_json::json!({"name": created["name"]})).await;
    nurse.get("/api/patients/00000000-0000-0000-0000-0000000000ab").await.problem(404);

    let all = rows(&auditor, &format!("patients?user={who}")).await;
    assert_eq!(actions(&all), ["READ", "LIST", "READ", "CREATE"], "the newest first: {all:?}");
    let about = rows(&auditor, &format!("patients?patient={id}&user={who}")).await;
    assert_eq!(actions(&about), ["LIST", "READ", "CREATE"], "whom a list showed, too");
    assert_eq!(about[0]["shown"], serde_json::json!([id]));
    let missed = rows(&auditor, &format!("patients?user={who}&outcome=NOT_FOUND")).await;
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0]["role"], "NURSE");
    assert!(missed[0]["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{missed:?}");
    assert!(missed[0].get("chainDigest").is_none());
    let reads = rows(&auditor, &format!("patients?user={who}&action=READ")).await;
    assert_eq!(reads.len(), 2);
    let at = about[2]["at"].as_str().expect("a moment");
    let before = rows(&auditor, &format!("patients?user={who}&to={at}")).await;
    assert!(before.is_empty(), "{before:?}");
    let since = rows(&auditor, &format!("patients?user={who}&from={at}")).await;
    assert_eq!(since.len(), 4);
    assert!(rows(&auditor, &format!("patients?user={who}&breakGlass=true")).await.is_empty());
    let opened = rows(&auditor, &format!("billing?patient={id}&action=OPEN")).await;
    assert_eq!(opened[0]["actor"], who.as_str(), "{opened:?}");

    let own = rows(&auditor, &format!("patients?user={auditors_id}&action=AUDIT&limit=500")).await;
    assert_eq!(own.len(), 7, "who asks stands in it: {own:?}");
}

#[tokio::test]
async fn pages_go_on_where_they_ended_while_the_log_grows() {
    let ward = Ward::shared();
    let (nurse, who) = somebody(ward, "NURSE");
    let (auditor, _) = somebody(ward, "AUDITOR");
    for _ in 0..5 {
        nurse.get("/api/patients?limit=1").await;
    }
    let (mut next, mut seen) =
        (Some(format!("/api/audit/patients?user={who}&limit=2")), Vec::new());
    while let Some(path) = next {
        let answer = auditor.get(&path).await;
        let page = answer.json();
        seen.extend(page.as_array().expect("a list").iter().map(|row| row["seq"].as_i64()));
        nurse.get("/api/patients?limit=1").await;
        next = answer.next_link();
    }
    assert_eq!(seen.len(), 5, "what came later is on no later page: {seen:?}");
    assert!(seen.is_sorted_by(|one, two| one > two), "{seen:?}");
}

#[tokio::test]
async fn each_service_answers_and_wrong_questions_are_400() {
    let ward = Ward::shared();
    let (auditor, _) = somebody(ward, "AUDITOR");
    for service in ["patients", "billing", "analytics", "auth"] {
        let last = rows(&auditor, &format!("{service}?limit=1&action=AUDIT")).await;
        assert!(last.len() <= 1);
        assert_eq!(rows(&auditor, &format!("{service}?limit=1")).await[0]["action"], "AUDIT");
        auditor.get(&format!("/api/audit/{service}?colour=red")).await.problem(400);
    }
    auditor.get("/api/audit/auth?patient=x").await.problem(400);
    auditor.get("/api/audit/patients?user=ann").await.problem(400);
    auditor.get("/api/audit/nothing").await.problem(404);
}
