//! Ward's HTTP interface as a client sees it. [`Answer::problem`] is the one place that knows what
//! a problem document looks like.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;

/// The demo user's e-mail.
pub const DEMO_EMAIL: &str = "testuser@test.com";
/// The demo user's password.
pub const DEMO_PASSWORD: &str = "password123";

/// A client of one address, with or without a token.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    token: Option<String>,
}

impl Api {
    /// A client without a token; `base` is like `http://127.0.0.1:4004`.
    pub fn new(base: &str) -> Api {
        Api::with_client(base, Client::builder())
    }

    /// A client without a token that comes from this address of the machine's own.
    pub fn from_address(base: &str, address: &str) -> Api {
        let address: std::net::IpAddr = address.parse().expect("an address");
        Api::with_client(base, Client::builder().local_address(address))
    }

    /// A client without a token that speaks HTTP/2 from the first byte (h2c).
    pub fn h2c(base: &str) -> Api {
        Api::with_client(base, Client::builder().http2_prior_knowledge())
    }

    fn with_client(base: &str, builder: reqwest::ClientBuilder) -> Api {
        let builder = builder.timeout(Duration::from_secs(90)).no_proxy();
        let client = builder.build().expect("a client");
        Api { client, base: base.trim_end_matches('/').to_owned(), token: None }
    }

    /// The same client with a token.
    pub fn with_token(&self, token: &str) -> Api {
        Api { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client with the demo user logged in.
    pub async fn logged_in(&self) -> Api {
        let answer = self.login(DEMO_EMAIL, DEMO_PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.with_token(answer.json()["token"].as_str().expect("a token"))
    }

    /// A user logged in: a client with the access token, and the refresh token.
    pub async fn session(&self, email: &str, password: &str) -> (Api, String) {
        self.with_pair(&self.login(email, password).await)
    }

    /// POST /auth/refresh.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.send_json("POST", "/auth/refresh", &json!({"refreshToken": token})).await
    }

    /// A client with the access token of an answer that has a pair, and the refresh token.
    pub fn with_pair(&self, answer: &Answer) -> (Api, String) {
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        let text = |name: &str| body[name].as_str().expect("a token").to_owned();
        (self.with_token(&text("token")), text("refreshToken"))
    }

    /// The token, where there is one.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("a client that logged in")
    }

    /// The address and port, such as `127.0.0.1:4004`.
    pub fn authority(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// The whole address of a path.
    pub fn url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) }
    }

    /// A request to be completed and sent with [`Answer::of`].
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.client.request(method, self.url(path));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request without a body.
    pub async fn send(&self, method: &str, path: &str) -> Answer {
        Answer::of(self.request(method, path)).await
    }

    /// Sends a request with a JSON body.
    pub async fn send_json(&self, method: &str, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(method, path).json(body)).await
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path).await
    }

    /// PUT of a patient, whatever version there is.
    pub async fn replace(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request("PUT", path).header("if-match", "*").json(body)).await
    }

    /// DELETE of a patient, whatever version there is.
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request("DELETE", path).header("if-match", "*")).await
    }

    /// POST /auth/login.
    pub async fn login(&self, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password});
        self.send_json("POST", "/auth/login", &body).await
    }

    /// POST /api/patients.
    pub async fn create(&self, body: &Value) -> Answer {
        self.send_json("POST", "/api/patients", body).await
    }

    /// POST /api/patients/search.
    pub async fn search(&self, body: &Value) -> Answer {
        self.send_json("POST", "/api/patients/search", body).await
    }

    /// All pages of a search, each as it was answered.
    pub async fn searched(&self, body: &Value) -> Vec<Answer> {
        let mut pages = vec![self.search(body).await];
        while let Some(next) = pages.last().and_then(Answer::next_link) {
            pages.push(self.send_json("POST", &next, body).await);
        }
        pages
    }

    /// Creates a patient, insists on 201 and returns the patient's JSON.
    pub async fn created(&self, body: &Value) -> Value {
        let answer = self.create(body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.patient()
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as text.
    pub body: String,
}

impl Answer {
    /// Sends a request and reads the whole answer.
    pub async fn of(request: RequestBuilder) -> Answer {
        Answer::try_of(request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// As [`Answer::of`], for a server that may be gone.
    pub async fn try_of(request: RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.text().await? })
    }

    /// A header's value; panics where it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"));
        value.to_str().expect("a header of text")
    }

    /// The body as JSON, insisting on the content type.
    pub fn json(&self) -> Value {
        assert!(self.header("content-type").starts_with("application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The patient in the answer that created one: the JSON without what it says of billing and of
    /// earlier patients.
    pub fn patient(&self) -> Value {
        let mut patient = self.json();
        let billing = patient.as_object_mut().expect("an object").remove("billing");
        assert!(billing.is_some_and(|billing| billing["status"].is_string()), "{self:?}");
        patient.as_object_mut().expect("an object").remove("earlierIds");
        patient
    }

    /// The problem document, insisting on RFC 9457's media type and members, and on this status
    /// in both places.
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let content_type = self.headers.get(CONTENT_TYPE).map(|value| value.as_bytes().to_vec());
        assert!(
            content_type.is_some_and(|t| t.starts_with(b"application/problem+json")),
            "{self:?}"
        );
        let problem: Value = serde_json::from_str(&self.body).expect("a problem document");
        assert_eq!(problem["status"], status, "{self:?}");
        assert!(problem["type"].is_string() && problem["title"].is_string(), "{self:?}");
        problem
    }

    /// The JSON pointers of a validation problem (status 400), sorted.
    pub fn failing_fields(&self) -> Vec<String> {
        let problem = self.problem(400);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {self:?}"));
        let pointer = |error: &Value| error["pointer"].as_str().expect("a pointer").to_owned();
        let mut pointers: Vec<String> = errors.iter().map(pointer).collect();
        pointers.sort();
        pointers
    }

    /// The target of the `Link` header with `rel="next"`, if there is one (RFC 8288).
    pub fn next_link(&self) -> Option<String> {
        let links = self.headers.get("link")?.to_str().expect("a header of text");
        let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
        let target = next.trim().strip_prefix('<').and_then(|rest| rest.split('>').next());
        Some(target.expect("a target in angle brackets").to_owned())
    }
}
