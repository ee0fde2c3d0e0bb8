//! The numbers on the reports equal the tables: what analytics makes of the events is what a
//! recount of the patients says, and a rebuild changes nothing of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ward_tests::{Api, Options, Patient, Ward};

/// How long the events may take, with a broker that starts at the same time.
const PATIENCE: Duration = Duration::from_secs(120);

/// Living patients by age, in the bands of the summary that comes as `$1`.
const RECOUNT: &str = "
    SELECT (band ->> 'from')::int AS from, (band ->> 'to')::int AS to, count(id) AS patients
    FROM jsonb_array_elements($1) AS band
    LEFT JOIN (
        SELECT id, date_part('year', age((now() AT TIME ZONE 'UTC')::date, date_of_birth)) AS age
        FROM patients WHERE deleted_at IS NULL
    ) AS living ON age BETWEEN (band ->> 'from')::int AND coalesce((band ->> 'to')::int, 999)
    GROUP BY 1, 2 ORDER BY 1";

#[tokio::test]
async fn reports_equal_a_recount_of_the_patients_before_and_after_a_rebuild() {
    let mut ward = Ward::start(Options::demo());
    let api = ward.user().await;
    for turn in 0..12 {
        let born = format!("{}-02-28", 1930 + turn * 7);
        let created = api.created(&Patient::unique().with("dateOfBirth", born)).await;
        let path = format!("/api/patients/{}", created["id"].as_str().expect("an id"));
        if turn % 2 == 0 {
            let replaced = api.replace(&path, &Patient::unique().json()).await;
            assert_eq!(replaced.status, 200, "{replaced:?}");
        }
        if turn % 3 == 0 {
            assert_eq!(api.delete(&path).await.status, 204);
        }
    }
    let changes = json!({"created": 22, "updated": 6, "deleted": 4, "erased": 0});
    let summary = summary_with(&api, &changes).await;
    let patients = ward.database("patients").await;
    let recount = patients.rows(RECOUNT, &[&summary["ageBands"]]).await;
    assert_eq!(summary["ageBands"], Value::Array(recount));
    assert_eq!(summary["patients"], 18);

    let rebuilt = api.send("POST", "/api/analytics/rebuild").await;
    assert_eq!((rebuilt.status, &rebuilt.json()["state"]), (200, &json!("SWITCHED")));
    assert_eq!(api.get("/api/analytics/summary").await.json(), summary);
    assert!(ward.stop().success(), "{}", ward.log());
}

/// The summary, once it has these changes.
async fn summary_with(api: &Api, changes: &Value) -> Value {
    let start = Instant::now();
    loop {
        let summary = api.get("/api/analytics/summary").await.json();
        if summary["events"] == *changes {
            return summary;
        }
        assert!(start.elapsed() < PATIENCE, "{summary}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
