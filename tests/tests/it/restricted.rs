//! Restricted patients: nobody learns of them who may not, through whichever door, and whoever
//! breaks the glass has left a reason.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use ward_tests::{Answer, Api, Grpc, Patient, Ward, claims_of};

/// How long the other services may take to hear of a restriction, on a machine that does other
/// things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A patient who is restricted: what the registration answered.
async fn restricted(admin: &Api) -> Answer {
    let created = admin.create(&Patient::unique().json()).await;
    let path = format!("{}/restriction", created.header("location"));
    let answer = admin.send("PUT", &path).await;
    assert_eq!((answer.status, answer.header("etag")), (204, "\"2\""), "{answer:?}");
    created
}

/// The names in the list of those with this name, for whoever asks with this reason.
async fn listed(api: &Api, name: &str, reason: Option<&str>) -> Vec<Value> {
    let mut request = api.request("POST", "/api/patients/search").json(&json!({"name": name}));
    if let Some(reason) = reason {
        request = request.header("break-glass-reason", reason);
    }
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().as_array().expect("an array").clone()
}

/// An audit row.
fn row(action: &str, outcome: &str, reason: Value) -> Value {
    json!({"action": action, "outcome": outcome, "break_glass": reason})
}

async fn break_glass(api: &Api, path: &str, reason: &str) -> Answer {
    Answer::of(api.request("GET", path).header("break-glass-reason", reason)).await
}

#[tokio::test]
async fn who_may_not_see_them_gets_what_there_is_not() {
    let ward = Ward::shared();
    let admin = ward.user().await;
    let created = restricted(&admin).await;
    let (path, name) = (created.header("location"), created.json()["name"].clone());
    let name = name.as_str().expect("a name");
    let nobody = format!("/api/patients/{}", uuid::Uuid::new_v4());
    for role in ["DOCTOR", "NURSE", "RECEPTIONIST"] {
        let (api, _) = ward.with_role(role);
        let problem = |answer: Answer| {
            let mut problem = answer.problem(404);
            problem.as_object_mut().expect("an object").remove("instance");
            problem
        };
        assert_eq!(problem(api.get(path).await), problem(api.get(&nobody).await), "{role}");
        let body = Patient::unique().json();
        api.replace(path, &body).await.problem(404);
        assert!(listed(&api, name, None).await.is_empty(), "{role}");
    }
    let seen = admin.get(path).await.json();
    assert_eq!((&seen["restricted"], &seen["version"]), (&json!(true), &json!(2)));
    assert_eq!(listed(&admin, name, None).await, std::slice::from_ref(&seen));
    // What was read can be written back, and restricts as before.
    assert_eq!(admin.replace(path, &seen).await.status, 200);
    assert_eq!(admin.get(path).await.json()["restricted"], true);
}

#[tokio::test]
async fn a_doctor_breaks_the_glass_with_a_reason_that_stays() {
    let ward = Ward::shared();
    let created = restricted(&ward.user().await).await;
    let path = created.header("location");
    let name = created.json()["name"].as_str().expect("a name").to_owned();
    let (doctor, user) = ward.with_role("DOCTOR");
    doctor.get(path).await.problem(404);
    break_glass(&doctor, path, "she fainted").await.problem(400);
    let seen = break_glass(&doctor, path, "ETREAT").await;
    assert_eq!((seen.status, &seen.json()["name"]), (200, &json!(name)), "{seen:?}");
    assert_eq!(listed(&doctor, &name, Some("TREAT")).await.len(), 1);
    // A reason is for reading, and for those who may.
    let write = doctor.request("PUT", path).header("break-glass-reason", "ETREAT");
    let write = write.header("if-match", "*").json(&Patient::unique().json());
    Answer::of(write).await.problem(404);
    let (nurse, _) = ward.with_role("NURSE");
    break_glass(&nurse, path, "ETREAT").await.problem(403);
    // Nothing is broken where nothing was in the way.
    let open = ward.user().await.create(&Patient::unique().json()).await;
    assert_eq!(break_glass(&doctor, open.header("location"), "ETREAT").await.status, 200);

    let query = "SELECT action, outcome, break_glass FROM audit_log \
                 WHERE actor = $1::text::uuid ORDER BY seq";
    let rows = ward.database("patients").await.rows(query, &[&user]).await;
    let expected = [
        row("READ", "DENIED", Value::Null),
        row("READ", "SUCCESS", json!("ETREAT")),
        row("LIST", "SUCCESS", json!("TREAT")),
        row("UPDATE", "NOT_FOUND", Value::Null),
        row("READ", "SUCCESS", Value::Null),
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn restricting_and_releasing_are_said_once_and_as_often_as_one_likes() {
    let ward = Ward::shared();
    let admin = ward.user().await;
    let created = admin.create(&Patient::unique().json()).await;
    let path = created.header("location");
    let restriction = format!("{path}/restriction");
    for (method, version) in [("DELETE", 1), ("PUT", 2), ("PUT", 2), ("DELETE", 3), ("DELETE", 3)] {
        let answer = admin.send(method, &restriction).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert_eq!(answer.header("etag"), format!("\"{version}\""), "{method}");
    }
    for (name, value) in [("if-match", "\"2\""), ("if-match", "W/\"3\""), ("if-none-match", "*")] {
        for method in ["PUT", "DELETE"] {
            let request = admin.request(method, &restriction).header(name, value);
            Answer::of(request).await.problem(412);
        }
    }
    let right = admin.request("DELETE", &restriction).header("if-match", "\"3\"");
    assert_eq!(Answer::of(right).await.status, 204);
    // A replacement does not restrict: it says so, and goes through with what was read.
    let mut document = created.patient();
    document["version"] = json!(3);
    document.as_object_mut().unwrap().remove("updatedAt");
    for (restricted, status) in [(json!(true), 400), (json!(7), 400), (json!(false), 200)] {
        document["restricted"] = restricted;
        let request = admin.request("PUT", path).header("if-match", "*").json(&document);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 400 {
            assert_eq!(answer.failing_fields(), ["/restricted"]);
        }
    }
    let (nurse, _) = ward.with_role("NURSE");
    assert_eq!(nurse.get(path).await.status, 200);
    for method in ["PUT", "DELETE"] {
        nurse.send(method, &restriction).await.problem(403);
        let nobody = format!("/api/patients/{}/restriction", uuid::Uuid::new_v4());
        admin.send(method, &nobody).await.problem(404);
    }
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let query = "SELECT type, payload->'restricted' AS restricted FROM outbox \
                 WHERE aggregate_id = $1::text::uuid AND aggregate_version > 1 ORDER BY seq";
    let told = ward.database("patients").await.rows(query, &[&id]).await;
    let event = |restricted: bool| json!({"type": "PATIENT_UPDATED", "restricted": restricted});
    assert_eq!(told, [event(true), event(false), event(false)]);
}

/// Also once they were deleted, and somebody comes who looks like them.
#[tokio::test]
async fn who_comes_again_is_known_to_those_who_see_them() {
    let ward = Ward::shared();
    let (admin, user) = ward.with_role("ADMIN");
    let earlier = restricted(&admin).await;
    assert_eq!(admin.delete(earlier.header("location")).await.status, 204);
    let id = earlier.json()["id"].clone();
    let again = || {
        let mut body = Patient::unique().json();
        body["name"] = earlier.json()["name"].clone();
        body["dateOfBirth"] = earlier.json()["dateOfBirth"].clone();
        body
    };
    let create = async |api: &Api, key: &str, body: &Value| {
        let request = api.request("POST", "/api/patients").header("idempotency-key", key);
        let answer = Answer::of(request.json(body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["earlierIds"].clone()
    };
    let (nurse, other) = ward.with_role("NURSE");
    assert_eq!(create(&nurse, "1", &again()).await, Value::Null);
    let body = again();
    assert_eq!(create(&admin, "1", &body).await, json!([id]));
    assert_eq!(create(&admin, "1", &body).await, json!([id]));
    // Whoever was an administrator and is none any more.
    let mut claims = claims_of("NURSE");
    claims["sub"] = user.clone().into();
    let demoted = ward.api().with_token(&ward.forge().sign(&claims));
    assert_eq!(create(&demoted, "1", &body).await, Value::Null);

    let database = ward.database("patients").await;
    let query = "SELECT shown FROM audit_log \
                 WHERE actor = $1::text::uuid AND action = 'CREATE' ORDER BY seq DESC LIMIT 3";
    let shown = |shown: Value| json!({"shown": shown});
    assert_eq!(database.rows(query, &[&other]).await, [shown(Value::Null)]);
    let rows = database.rows(query, &[&user]).await;
    assert_eq!(rows, [shown(Value::Null), shown(json!([id])), shown(json!([id]))]);
}

#[tokio::test]
async fn nor_do_their_accounts_and_events_show_them() {
    let ward = Ward::shared();
    let admin = ward.user().await;
    let created = restricted(&admin).await.json();
    let patient = created["id"].as_str().expect("an id").to_owned();
    let account = created["billing"]["accountId"].as_str().expect("an account").to_owned();
    let (bookkeeper, _) = ward.with_role("BILLING");
    let (auditor, _) = ward.with_role("AUDITOR");
    let of_account = format!("/api/billing/accounts/{account}");
    let activity = format!("/api/analytics/activity?patient={patient}");
    // Both hear of it from the event.
    gone(&bookkeeper, &of_account).await;
    gone(&auditor, &activity).await;

    for path in [
        of_account.clone(),
        format!("{of_account}/statement"),
        format!("/api/billing/patients/{patient}/account"),
    ] {
        bookkeeper.get(&path).await.problem(404);
        assert_eq!(admin.get(&path).await.status, 200, "{path}");
    }
    let opening = json!({"patientId": patient, "name": "A", "email": "a@example.com"});
    bookkeeper.send_json("POST", "/api/billing/accounts", &opening).await.problem(404);
    let charge = json!({
        "id": uuid::Uuid::new_v4().to_string(), "description": "x",
        "amount": {"minorUnits": 1, "currency": "EUR"},
    });
    let charges = format!("{of_account}/charges");
    bookkeeper.send_json("POST", &charges, &charge).await.problem(404);
    assert_eq!(admin.send_json("POST", &charges, &charge).await.status, 201);
    let void = json!({
        "id": uuid::Uuid::new_v4().to_string(), "reverses": charge["id"], "description": "x",
    });
    bookkeeper.send_json("POST", &format!("{of_account}/voids"), &void).await.problem(404);
    let all = bookkeeper.get("/api/billing/accounts?limit=500").await;
    assert!(!all.body.contains(&account), "it is in no list");

    let grpc = Grpc::connect(ward.listener("grpc").expect("a gRPC listener")).await;
    let grpc = grpc.with_token(bookkeeper.token());
    let asked = json!({"patientId": patient});
    let status = grpc.call("pms.billing.v1.Accounts/GetPatientAccount", &asked).await;
    assert_eq!(status.unwrap_err().code(), tonic::Code::NotFound);

    let events = format!("/api/analytics/events?patient={patient}");
    assert_eq!(auditor.get(&events).await.json(), json!([]));
    assert!(!admin.get(&events).await.json().as_array().expect("an array").is_empty());
    // And they are back once the patient is no secret any more.
    let path = format!("/api/patients/{patient}/restriction");
    assert_eq!(admin.send("DELETE", &path).await.status, 204);
    let start = Instant::now();
    while bookkeeper.get(&of_account).await.status != 200 {
        assert!(start.elapsed() < PATIENCE, "the account stays away");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until this is not there.
async fn gone(api: &Api, path: &str) {
    let start = Instant::now();
    while api.get(path).await.status != 404 {
        assert!(start.elapsed() < PATIENCE, "{path} is there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
