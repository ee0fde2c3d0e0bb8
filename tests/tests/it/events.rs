//! Events, from the outside: what was committed reaches the topic, and people can look at it
//! without seeing whom it is about.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use ward_tests::{Database, Patient, Repository, Ward};

/// The broker is started beside ward, and other tests keep the machine busy.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_change_reaches_the_topic_and_is_shown_without_the_patient() {
    let (ward, api) = (Ward::shared(), Ward::shared().user().await);
    let patient = Patient::unique();
    let created = api.created(&patient.json()).await;
    let id = created["id"].as_str().expect("an id");
    published(&ward.database("patients").await, id, 1).await;
    let path = format!("/api/patients/{id}");
    api.send("DELETE", &path).await;
    published(&ward.database("patients").await, id, 2).await;

    let masked = tail(&ward.state(), id, &[]);
    let types: Vec<&Value> = masked.iter().map(|event| &event["event"]["eventType"]).collect();
    assert_eq!(types, ["PATIENT_CREATED", "PATIENT_DELETED"]);
    assert_eq!(masked[0]["event"]["patientId"], id);
    assert_eq!(masked[0]["headers"]["ce_type"], "PATIENT_CREATED");
    assert_eq!(masked[0]["headers"]["ce_subject"], id);
    let text = serde_json::to_string(&masked).expect("JSON");
    for secret in [&patient.name, &patient.email, &patient.date_of_birth] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
    let revealed = tail(&ward.state(), id, &["--reveal"]);
    assert_eq!(revealed[0]["event"]["name"], patient.name);
    assert_eq!(revealed[0]["event"]["email"], patient.email);
    assert_eq!(revealed[1]["event"]["name"], "");
}

/// Waits until the relay has marked an event.
async fn published(database: &Database, patient: &str, version: i64) {
    let deadline = Instant::now() + PATIENCE;
    let query = "SELECT id FROM outbox WHERE aggregate_id = $1::text::uuid \
                 AND aggregate_version = $2 AND published_at IS NOT NULL";
    while database.rows(query, &[&patient, &version]).await.is_empty() {
        assert!(Instant::now() < deadline, "version {version} is not published");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The events of one patient, as `ward events tail` prints them.
fn tail(state: &Path, patient: &str, further: &[&str]) -> Vec<Value> {
    let root = Repository::here().root().to_owned();
    let state = state.display().to_string();
    let mut arguments = vec!["events", "--state-dir", &state, "tail", "patient"];
    arguments.extend(["--from-start", "--once"]);
    arguments.extend(further);
    let output = Ward::run(&arguments, &root);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let events = text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line"));
    events.filter(|event: &Value| event["key"] == patient).collect()
}
