//! Ward stopped, killed and started again over the same state: nothing answered is lost, nothing
//! started is left behind.

use futures::future::join_all;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use ward_tests::{Answer, Api, Options, Patient, Random, Repository, Ward};

/// How long a stop may take: the drain's deadline and PostgreSQL's own shutdown.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_stopped_ward_keeps_everything() {
    let mut ward = Ward::start(Options { own_keys: true, ..Options::demo() });
    let user = ward.user().await;
    let created = user.create(&Patient::unique().json()).await;
    let location = created.header("location").to_owned();
    let patients = user.get("/api/patients?limit=500").await.json();
    assert_eq!(patients.as_array().map(Vec::len), Some(11), "ten demo patients and one more");

    refuses_a_second_ward_over_the_same_state(&ward);
    let status = ward.stop();
    assert!(status.success(), "{status}: {}", ward.log());
    assert!(postmasters(&ward.state()).is_empty(), "PostgreSQL was left running");

    ward.start_again();
    assert!(ward.last_log().contains("from cache"), "compiled once: {}", ward.last_log());
    let again = ward.api().with_token(user.token());
    let read = again.get(&location).await;
    assert_eq!(read.status, 200, "a token outlives a restart, because the key does: {read:?}");
    assert_eq!(read.json(), created.patient());
    assert_eq!(read.header("etag"), created.header("etag"));
    let after = again.get("/api/patients?limit=500").await.json();
    assert_eq!(after, patients, "demo data goes into empty databases only");
}

fn refuses_a_second_ward_over_the_same_state(ward: &Ward) {
    let state = ward.state();
    let state = state.to_str().expect("a path of text");
    let repository = Repository::here();
    let arguments = ["up", "--listen", "127.0.0.1:0", "--state-dir", state];
    let output = Ward::run(&arguments, repository.root());
    assert!(!output.status.success(), "two wards over one state directory");
    assert!(!postmasters(&ward.state()).is_empty(), "the first one's PostgreSQL runs on");
}

#[tokio::test]
async fn a_terminal_that_closes_is_an_orderly_stop() {
    let mut ward = Ward::start(Options { own_keys: true, ..Options::demo() });
    let hangup = || {
        let sent = Command::new("kill").args(["-HUP", &ward.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    };
    hangup();
    hangup();
    let status = ward.outcome(STOP_PATIENCE);
    assert!(status.success(), "{status}: {}", ward.log());
    assert!(postmasters(&ward.state()).is_empty(), "PostgreSQL was left running");
}

#[tokio::test]
async fn signals_that_come_together_are_one_order_to_stop() {
    let mut ward = Ward::start(Options { own_keys: true, ..Options::demo() });
    let signals = "kill -TERM $0; kill -INT $0; kill -TERM $0";
    let sent = Command::new("sh").args(["-c", signals, &ward.pid().to_string()]).status();
    assert!(sent.expect("sh runs").success());
    let status = ward.outcome(STOP_PATIENCE);
    assert!(status.success(), "{status}: {}", ward.log());
    assert!(postmasters(&ward.state()).is_empty(), "PostgreSQL was left running");
}

#[tokio::test]
async fn a_start_that_waits_says_for_what_and_ends_in_order() {
    let mut ward = Ward::start(Options { own_keys: true, ..Options::demo() });
    // Its PostgreSQL goes on, and somebody in it has what a start needs.
    ward.kill();
    let other = ward.database("patients").await;
    let lock = "SELECT pg_advisory_lock(hashtext('ward'), hashtext('migrations'))";
    other.run(lock, &[]).await.expect("the lock");
    ward.begin_again();
    let waits = "another ward migrates the database patients; its end is waited for";
    let began = Instant::now();
    while !ward.last_log().contains(waits) {
        assert!(began.elapsed() < STOP_PATIENCE, "{}", ward.last_log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ward.terminate();
    let status = ward.outcome(STOP_PATIENCE);
    assert!(status.success(), "{status}: {}", ward.last_log());
    assert_eq!(ward.last_log().matches(waits).count(), 1, "{}", ward.last_log());
    assert!(postmasters(&ward.state()).is_empty(), "PostgreSQL was left running");
}

#[test]
fn a_server_that_does_not_answer_is_named_while_it_is_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = silent.local_addr().expect("an address");
    let url = format!("postgres://u:hunter2@{at}/d?sslmode=disable");
    let (home, repository) = (Ward::new_home(), Repository::here());
    let state = home.path().join("state");
    let state = state.to_str().expect("a path of text");
    let arguments = ["migrate", "--state-dir", state, "--database-url", &url];
    let output = Ward::run(&arguments, repository.root());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && !text.contains("hunter2"), "{text}");
    let waits = format!("{at} does not answer yet; it is waited for, 10 s at most");
    assert_eq!(text.matches(&waits).count(), 1, "{text}");
}

#[tokio::test]
async fn requests_in_flight_are_answered_before_ward_ends() {
    let mut ward = Ward::start(Options::demo());
    let user = ward.user().await;
    let (api, body) = (user.clone(), Patient::unique().json().to_string());
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let half = body.len() / 2;
    let (first, second) = (body[..half].to_owned(), body[half..].to_owned());
    let slow_body = futures::stream::once(async move { Ok::<_, std::io::Error>(first) });
    let slow_body = futures::StreamExt::chain(
        slow_body,
        futures::stream::once(async move {
            receiver.await.expect("the test goes on");
            Ok(second)
        }),
    );
    let request = api.request("POST", "/api/patients").header("content-type", "application/json");
    let request = request.body(reqwest::Body::wrap_stream(slow_body));
    let answer = tokio::spawn(Answer::of(request));
    tokio::time::sleep(Duration::from_millis(300)).await;
    ward.terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    sender.send(()).expect("the body is still wanted");
    assert_eq!(answer.await.expect("an answer").status, 201);
    let status = ward.outcome(STOP_PATIENCE);
    assert!(status.success(), "{status}: {}", ward.log());
    assert!(postmasters(&ward.state()).is_empty(), "PostgreSQL was left running");
}

#[tokio::test]
async fn every_create_answered_201_survives_kill_9() {
    let mut random = Random::seeded("kill -9");
    let mut ward = Ward::start(Options::demo());
    let mut accepted = Vec::new();
    for round in 0..2 {
        let load = Load::start(ward.user().await);
        let enough = 50 + random.below(150) as usize;
        while load.count() < enough {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(random.below(20))).await;
        ward.kill();
        accepted.extend(load.finish().await);
        ward.start_again();
        println!("round {round}: {} creates answered 201 so far", accepted.len());
        all_there(&ward, &accepted).await;
    }
    assert!(ward.stop().success(), "{}", ward.log());
    assert!(postmasters(&ward.state()).is_empty(), "PostgreSQL was left running");
}

/// Every accepted patient is read back, with exactly one event and its e-mail.
async fn all_there(ward: &Ward, accepted: &[(String, String)]) {
    let user = ward.user().await;
    let database = ward.database("patients").await;
    for (id, email) in accepted {
        let answer = user.get(&format!("/api/patients/{id}")).await;
        assert_eq!(answer.status, 200, "{id} was answered 201 and is gone: {answer:?}");
        assert_eq!(answer.json()["email"], email.as_str());
    }
    let query = "SELECT p.id, count(o.id) AS events FROM patients p \
                 LEFT JOIN outbox o ON o.aggregate_id = p.id AND o.type = 'PATIENT_CREATED' \
                 WHERE p.email LIKE 'pat-%' GROUP BY p.id HAVING count(o.id) <> 1";
    assert_eq!(database.rows(query, &[]).await, Vec::<serde_json::Value>::new(), "half rows");
}

/// Creates patients from several clients until the server is gone.
struct Load {
    accepted: Arc<Mutex<Vec<(String, String)>>>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(user: Api) -> Load {
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let client = |_| tokio::spawn(create_until_gone(user.clone(), Arc::clone(&accepted)));
        Load { clients: (0..8).map(client).collect(), accepted }
    }

    fn count(&self) -> usize {
        self.accepted.lock().expect("no panic").len()
    }

    async fn finish(self) -> Vec<(String, String)> {
        join_all(self.clients).await.into_iter().for_each(|client| client.expect("a client ends"));
        std::mem::take(&mut *self.accepted.lock().expect("no panic"))
    }
}

async fn create_until_gone(user: Api, accepted: Arc<Mutex<Vec<(String, String)>>>) {
    loop {
        let patient = Patient::unique();
        let request = user.request("POST", "/api/patients").json(&patient.json());
        let Ok(answer) = Answer::try_of(request).await else { return };
        assert_eq!(answer.status, 201, "{answer:?}");
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        accepted.lock().expect("no panic").push((id, patient.email));
    }
}

/// Files a running PostgreSQL keeps.
fn postmasters(state: &Path) -> String {
    let found = Command::new("find").arg(state).args(["-name", "postmaster.pid"]).output();
    String::from_utf8(found.expect("find runs").stdout).expect("paths of text")
}
