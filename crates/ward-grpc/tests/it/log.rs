//! What reaches the log: a line per call, with the method as the contract has it and nothing that
//! the client sent.

use std::io;
use std::sync::{Arc, Mutex};

use tonic::Request;
use tracing::Level;

use crate::probe::SECRET;
use crate::site::{ASK, ASK_OPENLY, PATIENCE, Question, Site, authorized, good_token, question};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    async fn lines(&self, part: &str, count: usize) -> Vec<String> {
        let found = async {
            loop {
                let text = self.text();
                let lines: Vec<_> =
                    text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect();
                if lines.len() >= count {
                    return lines;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the lines come")
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn capture(level: Level) -> (Sink, tracing::subscriber::DefaultGuard) {
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    (sink, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn one_line_per_call_without_what_the_client_sent() {
    let (sink, _guard) = capture(Level::INFO);
    let site = Site::new().await;
    let client = site.client().await;
    let mut request = authorized("echo", &format!("Bearer {}", good_token()));
    request.get_mut().padding = "Jane Roe".to_owned();
    request.metadata_mut().insert("x-mail", "jane@example.com".parse().unwrap());
    let response = client.call(ASK, request).await.unwrap();
    let id = response.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned();
    let lines = sink.lines(&id, 1).await;
    let line = &lines[0];
    for part in [ASK, "component=\"desk\"", "code=\"OK\"", "duration_us="] {
        assert!(line.contains(part), "{line}");
    }
    client.call("/Jane.Roe/Mail", Request::new(Question::default())).await.unwrap_err();
    let lines = sink.lines("UNIMPLEMENTED", 1).await;
    assert!(lines[0].contains("rpc=\"\""), "{lines:?}");
    client.call(ASK, question("echo", 0)).await.unwrap_err();
    sink.lines("UNAUTHENTICATED", 1).await;
    let text = sink.text();
    for private in ["Jane", "jane@", "Bearer", "eyJ"] {
        assert!(!text.contains(private), "{text}");
    }
}

#[tokio::test]
async fn the_cause_of_a_failure_is_in_the_log_under_the_calls_id() {
    let (sink, _guard) = capture(Level::INFO);
    let site = Site::new().await;
    let client = site.client().await;
    let mut request = question("trap", 0);
    let id = "0198a3c0-7e1b-7c3a-9d52-0123456789ab";
    request.metadata_mut().insert("x-request-id", id.parse().unwrap());
    client.call(ASK_OPENLY, request).await.unwrap_err();
    let lines = sink.lines(id, 2).await;
    assert!(lines[0].contains(SECRET) && lines[0].contains("ERROR"), "{lines:?}");
    assert!(lines[1].contains("INTERNAL") && !lines[1].contains(SECRET), "{lines:?}");
}

#[tokio::test]
async fn health_checks_are_for_debugging_only() {
    let (sink, _guard) = capture(Level::INFO);
    let site = Site::new().await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(site.channel().await);
    health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
    site.client().await.ask("echo", 0).await.unwrap();
    let lines = sink.lines("duration_us", 1).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
}
