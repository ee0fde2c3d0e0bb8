//! What Spin answers under `/.well-known/spin/`: whether the server is up, and which application
//! it runs. No component is ever called for these paths.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use ward_manifest::App;

use crate::problem::Problem;

const PREFIX: &str = "/.well-known/spin/";

/// The answers, made once.
#[derive(Debug)]
pub(crate) struct WellKnown {
    info: Bytes,
}

impl WellKnown {
    /// The answers for `app`.
    pub(crate) fn new(app: &App) -> Self {
        let mut info = serde_json::Map::new();
        info.insert("name".to_owned(), app.name.clone().into());
        if let Some(version) = &app.version {
            info.insert("version".to_owned(), version.clone().into());
        }
        Self { info: Bytes::from(serde_json::Value::Object(info).to_string()) }
    }

    /// Whether `path` is the host's own.
    pub(crate) fn is_under(path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    /// The answer for a path under the prefix.
    pub(crate) fn answer(&self, method: &Method, path: &str) -> Result<Response<Bytes>, Problem> {
        let (kind, body) = match path.strip_prefix(PREFIX) {
            Some("health") => ("text/plain; charset=utf-8", Bytes::from_static(b"OK")),
            Some("info") => ("application/json", self.info.clone()),
            _ => return Err(Problem::NotFound),
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Problem::MethodNotAllowed);
        }
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}
