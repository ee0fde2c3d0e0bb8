//! Events, from the outside: what was committed reaches the topic, and people can look at it
//! without seeing whom it is about.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;
use ward_tests::{Answer, Api, Database, Options, Patient, Repository, Ward};

/// Other tests keep the machine busy.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_change_reaches_the_topic_and_is_shown_without_the_patient() {
    let (ward, api) = (Ward::shared(), Ward::shared().user().await);
    let patient = Patient::unique();
    let created = api.created(&patient.json()).await;
    let id = created["id"].as_str().expect("an id");
    published(&ward.database("patients").await, id, 1).await;
    let path = format!("/api/patients/{id}");
    api.delete(&path).await;
    published(&ward.database("patients").await, id, 2).await;

    let masked = tail(&ward.state(), ("patient", id), &[]);
    let types: Vec<&Value> = masked.iter().map(|event| &event["event"]["eventType"]).collect();
    assert_eq!(types, ["PATIENT_CREATED", "PATIENT_DELETED"]);
    assert_eq!(masked[0]["event"]["patientId"], id);
    assert_eq!(masked[0]["headers"]["ce_type"], "PATIENT_CREATED");
    assert_eq!(masked[0]["headers"]["ce_subject"], id);
    let text = serde_json::to_string(&masked).expect("JSON");
    for secret in [&patient.name, &patient.email, &patient.date_of_birth] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
    let revealed = tail(&ward.state(), ("patient", id), &["--reveal"]);
    assert_eq!(revealed[0]["event"]["name"], patient.name);
    assert_eq!(revealed[0]["event"]["email"], patient.email);
    assert_eq!(revealed[1]["event"]["name"], "");
}

/// What a client calls its trace goes with the patient's event, over the link into billing's, and
/// over HTTP.
#[tokio::test]
async fn what_billing_books_reaches_a_topic_of_its_own() {
    let (ward, api) = (Ward::shared(), Ward::shared().user().await);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let send = |path: &str, body: &Value| {
        let request = api.request("POST", path).header("traceparent", trace);
        Answer::of(request.body(body.to_string()).header("content-type", "application/json"))
    };
    let created = send("/api/patients", &Patient::unique().json()).await.json();
    let (patient, account) =
        (&created["id"], created["billing"]["accountId"].as_str().expect("one"));
    let charge = json!({
        "id": Uuid::new_v4(), "description": "Consultation",
        "amount": {"minorUnits": 12_550, "currency": "EUR"},
    });
    let path = format!("/api/billing/accounts/{account}");
    assert_eq!(send(&format!("{path}/charges"), &charge).await.status, 201);
    let void = json!({"id": Uuid::new_v4(), "reverses": charge["id"], "description": "Mistake"});
    assert_eq!(send(&format!("{path}/voids"), &void).await.status, 201);
    published(&ward.database("billing").await, account, 3).await;

    let told = tail(&ward.state(), ("billing-account", account), &["--reveal"]);
    let event = |version: i64, kind: &str, balance: &str, entry: Option<Value>| {
        let mut event = json!({
            "accountId": account, "patientId": patient, "eventType": kind, "status": "ACTIVE",
            "version": version.to_string(), "currency": "EUR", "balance": balance,
        });
        event["entry"] = entry.unwrap_or_default();
        event
    };
    let booked = json!({"id": charge["id"], "kind": "CHARGE", "amount": "12550"});
    let undone = json!({
        "id": void["id"], "kind": "REVERSAL", "amount": "-12550", "reverses": charge["id"],
    });
    let expected = [
        event(1, "ACCOUNT_OPENED", "0", None),
        event(2, "CHARGE_POSTED", "12550", Some(booked)),
        event(3, "ENTRY_VOIDED", "0", Some(undone)),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (told, expected) in told.iter().zip(expected) {
        for (field, value) in expected.as_object().expect("an object") {
            assert_eq!(told["event"][field], *value, "{field} of {told}");
        }
        assert_eq!(told["headers"]["traceparent"], trace);
        assert_eq!(told["headers"]["ce_subject"], account);
        assert!(!told.to_string().contains("Consultation"), "descriptions stay in billing: {told}");
    }
    let masked = tail(&ward.state(), ("billing-account", account), &[]);
    let text = serde_json::to_string(&masked).expect("JSON");
    assert!(!text.contains("12550") && text.contains("CHARGE_POSTED"), "{text}");
    let patient = patient.as_str().expect("an id");
    let path = format!("/api/patients/{patient}");
    let request = |method: &str| api.request(method, &path).header("traceparent", trace);
    let body = Patient::unique().json().to_string();
    let put = request("PUT").header("content-type", "application/json").body(body);
    assert_eq!(Answer::of(put.header("if-match", "*")).await.status, 200);
    assert_eq!(Answer::of(request("DELETE").header("if-match", "*")).await.status, 204);
    published(&ward.database("patients").await, patient, 3).await;
    published(&ward.database("billing").await, account, 4).await;
    for (key, count) in [(("patient", patient), 3), (("billing-account", account), 4)] {
        let told = tail(&ward.state(), key, &[]);
        assert_eq!(told.len(), count, "{told:?}");
        assert!(told.iter().all(|event| event["headers"]["traceparent"] == trace), "{told:?}");
    }
}

/// With no broker given nothing is built or installed, and nothing is waited for.
#[tokio::test]
async fn a_patient_created_right_after_the_first_start_is_counted_at_once() {
    let mut ward = Ward::start(Options::default());
    let user = ward.api().with_token(&ward.forge().sign(&ward_tests::claims()));
    user.created(&Patient::unique().json()).await;
    let created = Instant::now();
    loop {
        let summary = user.get("/api/analytics/summary").await.json();
        if summary["patients"] == 1 {
            break;
        }
        assert!(created.elapsed() < PATIENCE, "{summary}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("counted after {:?}", created.elapsed());
    assert!(ward.stop().success(), "{}", ward.log());
    assert!(!ward.log().contains("roker"), "{}", ward.log());
}

/// It holds lanes and partitions, and would for ever if nobody took them.
#[tokio::test]
async fn a_ward_that_stands_still_delays_the_events_of_others_and_does_not_stop_them() {
    let mut ward = Ward::start(Options::demo());
    let user = ward.user().await;
    let mut second = Ward::start(ward.replica());
    let patients = ward.database("patients").await;
    let log = ward.event_log().await;
    let shared = "SELECT relay FROM outbox_lane WHERE relay IS NOT NULL GROUP BY relay";
    let split = "SELECT member FROM lease WHERE member IS NOT NULL AND group_name = 'analytics' \
                 GROUP BY member";
    let deadline = Instant::now() + PATIENCE;
    while patients.rows(shared, &[]).await.len() < 2 || log.rows(split, &[]).await.len() < 2 {
        assert!(Instant::now() < deadline, "the second ward has no share");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let before = counted(&ward).await;
    signal("STOP", second.pid());
    let frozen = Instant::now();
    for _ in 0..20 {
        user.created(&Patient::unique().json()).await;
    }
    while counted(&ward).await < before + 20 {
        assert!(frozen.elapsed() < PATIENCE, "they did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = frozen.elapsed();
    // The ward wakes up with events of its own that went without it.
    signal("CONT", second.pid());
    for _ in 0..20 {
        user.created(&Patient::unique().json()).await;
    }
    while counted(&ward).await < before + 40 {
        assert!(frozen.elapsed() < PATIENCE, "they did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let disordered = "SELECT patient_id FROM (SELECT patient_id, version, \
                      lag(version) OVER (PARTITION BY patient_id ORDER BY seq) AS before \
                      FROM events) AS e WHERE before >= version";
    assert!(ward.database("analytics").await.rows(disordered, &[]).await.is_empty());
    println!("a ward that stood still cost {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}: leases of 10 s, looked at every 3 s");
    assert!(second.stop().success(), "{}", second.log());
    assert!(ward.stop().success(), "{}", ward.log());
}

/// How many events analytics has.
async fn counted(ward: &Ward) -> usize {
    ward.database("analytics").await.rows("SELECT seq FROM events", &[]).await.len()
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

#[tokio::test]
async fn those_who_run_it_can_read_how_much_came_through() {
    let mut ward = Ward::start(Options::demo());
    let user = ward.user().await;
    user.created(&Patient::unique().json()).await;
    let metrics = Api::new(ward.listener("ops").expect("it is always there"));
    let wanted = [
        r#"ward_log_up{log="the event log"} 1"#,
        r#"ward_outbox_sent_total{outbox="patients",topic="patient"} "#,
        r#"ward_outbox_sent_total{outbox="billing",topic="billing-account"} "#,
        r#"ward_consumer_done_total{trigger="analytics-consumer",group="analytics"} "#,
        r#"ward_consumer_done_total{trigger="billing-consumer",group="billing"} "#,
    ];
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = metrics.get("/metrics").await.body;
        let some = |line: &str| !line.ends_with(" 0");
        let there =
            |wanted: &&str| page.lines().any(|line| line.starts_with(*wanted) && some(line));
        match wanted.iter().find(|wanted| !there(wanted)) {
            None => break,
            Some(missing) => assert!(Instant::now() < deadline, "{missing} in {page}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(user.get("/metrics").await.status, 404, "the gateway does not have it");
    // A page may have a name of its own lead here.
    for (host, status) in [("localhost:9090", 200), ("[::1]", 200), ("evil.example:9090", 421)] {
        let request = metrics.request("GET", "/metrics").header("host", host);
        assert_eq!(Answer::of(request).await.status, status, "{host}");
    }
    assert!(ward.stop().success(), "{}", ward.log());
}

/// As after the restore of an older backup: what the database lost is in the topic.
#[tokio::test]
async fn a_group_is_moved_while_no_ward_runs_and_reads_again_what_it_has_read() {
    let mut ward = Ward::start(Options::demo());
    let user = ward.user().await;
    let created = user.created(&Patient::unique().json()).await;
    let id = created["id"].as_str().expect("an id");
    published(&ward.database("patients").await, id, 1).await;
    let refused = replay(&ward.state());
    assert!(!refused.status.success(), "its consumers run");
    let text = String::from_utf8(refused.stderr).expect("UTF-8");
    assert!(text.contains("the group `billing` is consuming; stop its consumers first"), "{text}");

    // Until the event was consumed it would come by itself.
    consumed(&ward.event_log().await).await;
    let forget = "DELETE FROM accounts WHERE patient_id = $1::text::uuid";
    let billing = ward.administrator("billing").await;
    let guard = |does| format!("ALTER TABLE accounts {does} TRIGGER accounts_stay");
    billing.run(&guard("DISABLE"), &[]).await.expect("a superuser may");
    assert_eq!(billing.run(forget, &[&id]).await, Ok(1));
    billing.run(&guard("ENABLE"), &[]).await.expect("a superuser may");
    assert!(ward.stop().success(), "{}", ward.log());

    let moved = replay(&ward.state());
    assert!(moved.status.success(), "{}", String::from_utf8_lossy(&moved.stderr));
    let text = String::from_utf8(moved.stdout).expect("UTF-8");
    let all: String = (0..6).map(|partition| format!("patient {partition}: from 0\n")).collect();
    assert_eq!(text, all);
    let told = tail(&ward.state(), ("patient", id), &[]);
    assert_eq!(told.len(), 1, "the topic can be read while no ward runs: {told:?}");

    ward.start_again();
    let user = ward.user().await;
    let path = format!("/api/billing/patients/{id}/account");
    let deadline = Instant::now() + PATIENCE;
    while user.get(&path).await.status != 200 {
        assert!(Instant::now() < deadline, "the account did not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ward.stop().success(), "{}", ward.log());
}

/// What it takes to reach a broker is not asked for where none is given.
#[tokio::test]
async fn settings_of_a_broker_do_no_harm_where_there_is_none() {
    let home = Ward::new_home();
    let client = "client = { 'security.protocol' = 'sasl_plaintext', 'sasl.mechanism' = 'PLAIN', \
                  'sasl.username' = 'ward', 'sasl.password' = 'hunter2' }";
    let kafka = "[application.trigger.kafka]\n";
    let manifest = Repository::here().manifest_for_anywhere();
    let file = home.path().join("spin.toml");
    let text = manifest.replace(kafka, &format!("{kafka}{client}\n"));
    std::fs::write(&file, text).expect("a manifest is written");
    let mut ward = Ward::start(Options { from: Some(file.clone()), ..Options::demo() });
    let created = ward.user().await.created(&Patient::unique().json()).await;
    let id = created["id"].as_str().expect("an id");
    published(&ward.database("patients").await, id, 1).await;

    let file = file.display().to_string();
    let mut event = json!({"patientId": id, "eventType": "PATIENT_UPDATED", "version": 2,
        "name": "", "email": "", "dateOfBirth": "1985-06-15"});
    let state = ward.state().display().to_string();
    // Where state is kept can be said behind the command as well, and so can the manifest.
    let produce = |event: &Value| {
        let event = event.to_string();
        let behind = ["--key", id, "--json", &event, "--state-dir", &state, "--from", &file];
        let arguments = [&["events", "produce", "patient"], &behind[..]].concat();
        Ward::run(&arguments, Repository::here().root())
    };
    let refused = produce(&event);
    let text = String::from_utf8(refused.stderr).expect("UTF-8");
    assert!(text.contains("the event lacks `registeredDate`"), "{text}");
    event["registeredDate"] = "2024-01-10".into();
    event["restricted"] = false.into();
    let sent = produce(&event);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let told = tail(&ward.state(), ("patient", id), &[]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1]["event"]["eventId"], told[1]["headers"]["ce_id"], "made for both");
    assert!(ward.stop().success(), "{}", ward.log());
}

#[tokio::test]
async fn dead_letters_are_listed_and_sent_again() {
    let mut ward = Ward::start(Options::demo());
    let created = ward.user().await.created(&Patient::unique().json()).await;
    published(&ward.database("patients").await, created["id"].as_str().expect("an id"), 1).await;
    let poison = json!({"patientId": "nobody", "eventType": "PATIENT_CREATED", "version": 1,
        "name": "Jane Doe", "email": "jane.doe@example.com", "dateOfBirth": "1985-06-15",
        "registeredDate": "2024-01-10", "restricted": false});
    let state = ward.state();
    events(&state, &["produce", "patient", "--key", "nobody", "--json", &poison.to_string()]);

    let listed = dead_letters(&state, 2).await;
    let group = |letter: &Value| letter["headers"]["ward-dead-group"].as_str().map(str::to_owned);
    let mut groups: Vec<_> = listed.iter().filter_map(group).collect();
    groups.sort();
    assert_eq!(groups, ["analytics", "billing"]);
    for letter in &listed {
        assert_eq!(letter["headers"]["ward-dead-topic"], "patient", "{letter}");
        assert_eq!(letter["reason"], "patient-id is no UUID", "{letter}");
        assert!(!letter.to_string().contains("Jane"), "{letter}");
    }
    // Each goes back to the group that it names, which refuses it once more.
    for _ in 0..2 {
        assert_eq!(events(&state, &["dead-letters", "--resend"]), "2 sent again\n");
        let again = dead_letters(&state, 2).await;
        let mut groups: Vec<_> = again.iter().filter_map(group).collect();
        groups.sort();
        assert_eq!(groups, ["analytics", "billing"], "{again:?}");
    }
    let letter = &dead_letters(&state, 2).await[0];
    let place = format!("{}:{}", letter["partition"], letter["offset"]);
    let one = ["dead-letters", "--resend", "--letter", &place];
    assert_eq!(events(&state, &one), "1 sent again\n");
    dead_letters(&state, 2).await;
    let failed = run_events(&state, &one);
    let text = String::from_utf8(failed.stderr).expect("UTF-8");
    assert!(text.contains(&format!("there is no dead letter {place}")), "{text}");
    another_tools_letter(&ward).await;
    assert!(ward.stop().success(), "{}", ward.log());
}

/// A tool that is not ward's sets a record aside, with what it was about in its own headers.
async fn another_tools_letter(ward: &Ward) {
    let part = |text: &[u8]| {
        let length = u32::try_from(text.len()).expect("a length").to_be_bytes();
        [length.as_slice(), text].concat()
    };
    let headers = [part(b"x-exception"), part(b"cannot read {\"name\": \"Jane Doe\"}")].concat();
    let insert = "WITH taken AS (UPDATE part SET next = next + 1 \
        WHERE topic = 'patient.dead-letter' AND number = 0 RETURNING id, next - 1 AS position) \
        INSERT INTO record (part, position, at, headers) \
        SELECT id, position, now(), $1 FROM taken";
    ward.event_log().await.run(insert, &[&headers]).await.expect("a record");
    let letters = dead_letters(&ward.state(), 3).await;
    let foreign = letters.iter().find(|letter| letter["headers"]["x-exception"] != Value::Null);
    assert_eq!(foreign.expect("its letter")["headers"]["x-exception"], "…", "{letters:?}");
    let revealed = events(&ward.state(), &["dead-letters", "--reveal"]);
    assert!(revealed.contains("Jane Doe"), "{revealed}");
    let sent = events(&ward.state(), &["dead-letters", "--resend"]);
    assert!(sent.contains("another tool's") && !sent.contains("Jane"), "{sent}");
}

/// The dead letters, once there are so many.
async fn dead_letters(state: &Path, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = events(state, &["dead-letters"]);
        let lines: Vec<&str> = text.lines().collect();
        let (summary, letters) = lines.split_last().expect("a summary");
        if *summary == format!("{count} dead letters") {
            let json = |line: &&str| serde_json::from_str(line).expect("a JSON object a line");
            return letters.iter().map(json).collect();
        }
        assert!(Instant::now() < deadline, "{text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What `ward events` prints, which must work.
fn events(state: &Path, arguments: &[&str]) -> String {
    let output = run_events(state, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn run_events(state: &Path, arguments: &[&str]) -> Output {
    let state = state.display().to_string();
    let arguments = [&["events", "--state-dir", &state], arguments].concat();
    Ward::run(&arguments, Repository::here().root())
}

fn replay(state: &Path) -> Output {
    run_events(state, &["replay", "--group", "billing", "--from", "earliest"])
}

/// Waits until billing has a position behind every event.
async fn consumed(log: &Database) {
    let deadline = Instant::now() + PATIENCE;
    let behind = "SELECT p.id FROM part p LEFT JOIN lease l \
                  ON l.part = p.id AND l.group_name = 'billing' \
                  WHERE p.topic = 'patient' AND p.next > coalesce(l.position, 0)";
    while !log.rows(behind, &[]).await.is_empty() {
        assert!(Instant::now() < deadline, "billing is behind");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the relay has marked an event.
async fn published(database: &Database, aggregate: &str, version: i64) {
    let deadline = Instant::now() + PATIENCE;
    let query = "SELECT id FROM outbox WHERE aggregate_id = $1::text::uuid \
                 AND aggregate_version = $2 AND published_at IS NOT NULL";
    while database.rows(query, &[&aggregate, &version]).await.is_empty() {
        assert!(Instant::now() < deadline, "version {version} is not published");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The events of one key, as `ward events tail` prints them.
fn tail(state: &Path, (topic, key): (&str, &str), further: &[&str]) -> Vec<Value> {
    let arguments = [&["tail", topic, "--from-start", "--once"], further].concat();
    let text = events(state, &arguments);
    let events = text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line"));
    events.filter(|event: &Value| event["key"] == key).collect()
}
