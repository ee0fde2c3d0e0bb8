//! What reaches the log: a line per request, without anything that could name a patient.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::Level;

use crate::probe::SECRET;
use crate::raw::Raw;
use crate::site::{Site, client};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    async fn lines(&self, part: &str, count: usize) -> Vec<String> {
        loop {
            let text = self.text();
            let lines: Vec<_> =
                text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect();
            if lines.len() >= count {
                return lines;
            }
            tokio::task::yield_now().await;
        }
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
async fn one_line_per_request_with_the_pattern_and_not_the_path() {
    let (sink, _guard) = capture(Level::INFO);
    let site = Site::new().await;
    let response = client()
        .get(site.url("/one/by-id/123e4567?name=Doe"))
        .header("x-mail", "jane@example.com")
        .send()
        .await
        .unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    response.bytes().await.unwrap();
    let lines = sink.lines("ward_http::request_log", 1).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in [
        r#"method="GET""#,
        r#"route="/one/by-id/:patient_id""#,
        r#"component="one""#,
        "status=200",
        "whole=true",
        "duration_us=",
        &format!("request_id={id}"),
    ] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    for secret in ["123e4567", "Doe", "jane@example.com", "127.0.0.1"] {
        assert!(!sink.text().contains(secret), "{secret} in {}", sink.text());
    }
}

#[tokio::test]
async fn refused_requests_of_one_address_do_not_fill_the_log() {
    let (sink, _guard) = capture(Level::INFO);
    let site = Site::new().await;
    let mut raw = Raw::connect(site.gateway).await;
    let asked = 1500;
    for _ in 0..asked {
        raw.send("GET /nowhere HTTP/1.1\r\nHost: ward\r\n\r\n").await;
        assert!(raw.response().await.starts_with("HTTP/1.1 404 "));
    }
    site.text("/one/read").await;
    sink.lines("status=200", 1).await;
    let lines = sink.lines("status=404", 1000).await.len();
    assert!((1000..asked).contains(&lines), "{lines}");
    assert!(sink.text().contains("too many for a line each left_out=1\n"), "that is said");
}

#[tokio::test]
async fn a_probe_is_not_worth_a_line() {
    let (sink, _guard) = capture(Level::INFO);
    let site = Site::new().await;
    site.text("/.well-known/spin/health").await;
    site.text("/robots.txt").await;
    let lines = sink.lines("ward_http::request_log", 1).await;
    assert!(lines[0].contains(r#"route="/robots.txt""#), "{lines:?}");
}

#[tokio::test]
async fn the_cause_of_a_failure_is_in_the_log_under_the_requests_id() {
    let (sink, _guard) = capture(Level::INFO);
    let site = Site::new().await;
    let response = site.get("/one/trap").await;
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let lines = sink.lines(SECRET, 1).await;
    assert!(lines[0].contains(&id) && lines[0].contains(r#"route="/one/...""#), "{lines:?}");
}

#[tokio::test]
async fn a_response_that_was_not_taken_whole_says_so() {
    let (sink, _guard) = capture(Level::INFO);
    let site = Site::new().await;
    let response = site.get("/one/broken").await;
    assert!(response.bytes().await.is_err());
    let lines = sink.lines("duration_us=", 1).await;
    assert!(lines[0].contains("status=200") && lines[0].contains("whole=false"), "{lines:?}");
}
