//! A real browser, headless Chromium, told what to do by WebDriver (W3C): chromedriver out of the
//! same package speaks it over HTTP.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

/// How long something on a page is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The name under which WebDriver has elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window.
pub struct Browser {
    driver: Child,
    session: String,
    client: reqwest::Client,
}

/// Where the driver is: named in `WARD_TEST_CHROMEDRIVER`, or on the path.
pub fn driver() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("WARD_TEST_CHROMEDRIVER") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|place| place.join("chromedriver")).find(|it| it.exists())
}

impl Browser {
    /// Starts one.
    pub async fn start(driver: &Path) -> Browser {
        let mut command = Command::new(driver);
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.spawn().expect("chromedriver runs");
        let lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let after = line.split_once("successfully on port ")?.1;
            after.trim_end_matches('.').parse::<u16>().ok()
        });
        let base = format!("http://127.0.0.1:{}", port.expect("a port"));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut browser = Browser { driver, session: base, client };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1280,1800",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        }}});
        let session = browser.tell(Method::POST, "/session", wanted).await;
        let id = session["sessionId"].as_str().expect("a session");
        browser.session.push_str(&format!("/session/{id}"));
        browser
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.tell(Method::POST, "/url", json!({ "url": url })).await;
    }

    /// Clicks on what a selector of CSS finds, once it can be clicked on.
    pub async fn click(&self, selector: &str) {
        self.act(selector, "click", &json!({})).await;
    }

    /// Types a text into what a selector finds, in place of what is there.
    pub async fn fill(&self, selector: &str, text: &str) {
        self.act(selector, "clear", &json!({})).await;
        self.act(selector, "value", &json!({ "text": text })).await;
    }

    /// The text of what a selector finds.
    pub async fn text(&self, selector: &str) -> String {
        let path = format!("/element/{}/text", self.find(selector).await);
        let text = self.tell(Method::GET, &path, Value::Null).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// A picture of the window.
    pub async fn screenshot(&self) -> Vec<u8> {
        let text = self.tell(Method::GET, "/screenshot", Value::Null).await;
        STANDARD.decode(text.as_str().expect("a text")).expect("a picture")
    }

    /// What the console has that is no more than a word.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.tell(Method::POST, "/se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().expect("a list").iter();
        let bad =
            entries.filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")));
        bad.map(|entry| entry["message"].to_string()).collect()
    }

    async fn act(&self, selector: &str, action: &str, how: &Value) {
        let start = Instant::now();
        loop {
            let path = format!("/element/{}/{action}", self.find(selector).await);
            match self.ask(Method::POST, &path, how.clone()).await {
                Ok(_) => return,
                // Something is in front of it still, or it was drawn anew.
                Err(error) => assert!(start.elapsed() < PATIENCE, "{action} {selector}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn find(&self, selector: &str) -> String {
        let start = Instant::now();
        loop {
            let how = json!({ "using": "css selector", "value": selector });
            match self.ask(Method::POST, "/element", how).await {
                Ok(found) => return found[ELEMENT].as_str().expect("an element").to_owned(),
                Err(error) => assert!(start.elapsed() < PATIENCE, "{selector}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn tell(&self, method: Method, path: &str, body: Value) -> Value {
        self.ask(method, path, body).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> Result<Value, Value> {
        let request = self.client.request(method, format!("{}{path}", self.session));
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.expect("chromedriver answers");
        let right = answer.status().is_success();
        let mut answer: Value = answer.json().await.expect("JSON");
        let value = answer["value"].take();
        if right { Ok(value) } else { Err(value["message"].clone()) }
    }

    /// Ends it.
    pub async fn close(self) {
        self.tell(Method::DELETE, "", Value::Null).await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}
