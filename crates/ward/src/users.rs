//! The application's users, as `ward user` speaks to them: requests to the API that the manifest
//! names, answered in this process by the component that is responsible. Nothing is served, and
//! what stands in front of the component elsewhere is left out: whoever may read the addresses of
//! the databases may do this.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LINK};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use ward_manifest::{App, HttpTrigger, Users};
use ward_runtime::{CallContext, Host, HostOptions, HttpHandler};

use crate::application::Application;
use crate::database;
use crate::failure::Failure;
use crate::provision::Values;

/// The API, with the component behind it.
pub(crate) struct Directory {
    users: Users,
    handler: HttpHandler,
}

/// One answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Directory {
    /// Loads the component, with the values of variables and the address of the key-value stores'
    /// database.
    pub(crate) async fn open(
        application: &Application,
        (values, key_value): (&Values, Option<&str>),
    ) -> Result<Self, Failure> {
        let users = settings(&application.app)?.clone();
        let app = only(&application.app, &users);
        let variables = Arc::new(application.variables(values)?);
        let options = HostOptions {
            state_dir: application.state.clone(),
            config: application.config.clone(),
            key_value: key_value.map(database::key_value).transpose()?,
            ..HostOptions::default()
        };
        let load = move || Host::open(Arc::new(app), variables, options)?.load();
        let loading = tokio::task::spawn_blocking(load);
        let release = loading.await.map_err(Failure::because("loading components"))??;
        let handler = Arc::new(release).http(&users.trigger).ok_or_else(|| {
            Failure::new(format!("the trigger {} has no component", users.trigger))
        })?;
        Ok(Self { users, handler })
    }

    /// Adds a user.
    pub(crate) async fn add(&self, user: &Value) -> Result<Value, Failure> {
        let path = self.users.path.clone();
        self.done(Method::POST, &path, Some(user)).await.map(|answer| answer.body)
    }

    /// All users.
    pub(crate) async fn list(&self) -> Result<Vec<Value>, Failure> {
        let mut next = Some(self.users.path.clone());
        let mut all = Vec::new();
        while let Some(path) = next {
            let Answer { body, headers, .. } = self.done(Method::GET, &path, None).await?;
            match body {
                Value::Array(users) => all.extend(users),
                _ => return Err(Failure::new("the application does not list its users")),
            }
            next = next_page(&headers);
        }
        Ok(all)
    }

    /// Changes the user with this address: what `change` makes of the document takes its place.
    pub(crate) async fn change(
        &self,
        email: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, Failure> {
        let found = self.list().await?;
        let own = |user: &Value| {
            user["email"].as_str().is_some_and(|own| own.to_lowercase() == email.to_lowercase())
        };
        let found = found.into_iter().find(own);
        let mut user = found.ok_or_else(|| {
            Failure::new("nobody has this address").help("`ward user list` shows all users")
        })?;
        let path = format!(
            "{}/{}",
            self.users.path,
            user.get("id").and_then(Value::as_str).unwrap_or_default()
        );
        change(&mut user);
        self.done(Method::PUT, &path, Some(&user)).await.map(|answer| answer.body)
    }

    /// Asks, and makes a failure of what is no success.
    async fn done(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let answer = self.ask(method, path, body).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(refusal(&answer)) }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let mut request = Request::builder().method(method).uri(format!("http://localhost{path}"));
        for (name, value) in &self.users.headers {
            request = request.header(name, value);
        }
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let body = Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let request = request.map_err(Failure::because("[application.tool.ward.users]"))?;
        let component = self.handler.component().to_owned();
        let failed = |what: String| Failure::new(format!("component {component}: {what}"));
        let answer = self.handler.handle(request, CallContext::default()).await;
        let (head, body) = answer.map_err(|error| failed(error.to_string()))?.into_parts();
        let bytes = body.collect().await.map_err(|error| failed(error.to_string()))?.to_bytes();
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).map_err(|_| failed("no JSON".to_owned()))?,
        };
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// Where the application keeps its users.
pub(crate) fn settings(app: &App) -> Result<&Users, Failure> {
    app.settings.users.as_ref().ok_or_else(|| {
        Failure::new("the application does not say where it keeps its users")
            .help("name the trigger and the path in [application.tool.ward.users]")
    })
}

/// The application with nothing in use but what keeps its users.
fn only(app: &App, users: &Users) -> App {
    let mut app = app.clone();
    app.http_triggers.retain(|trigger: &HttpTrigger| trigger.id == users.trigger);
    app.grpc_triggers.clear();
    app.kafka_triggers.clear();
    app
}

/// The target of `Link: <…>; rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (target, relation) = link.strip_prefix('<')?.split_once('>')?;
    relation.contains("rel=\"next\"").then(|| target.to_owned())
}

/// A problem document (RFC 9457) as a failure: what is wrong with each field is a sentence.
fn refusal(answer: &Answer) -> Failure {
    let text = |of: &Value, name: &str| of.get(name)?.as_str().map(str::to_owned);
    let errors = answer.body.get("errors").and_then(Value::as_array).into_iter().flatten();
    let sentence = |error: &Value| {
        let field = text(error, "pointer")?;
        Some(format!("{} {}", field.trim_start_matches('/'), text(error, "detail")?))
    };
    let mut sentences: Vec<String> = errors.filter_map(sentence).collect();
    if sentences.is_empty() {
        let body = &answer.body;
        sentences.extend(text(body, "detail").or_else(|| text(body, "title")));
    }
    if sentences.is_empty() {
        sentences.push(format!("the application answers {}", answer.status));
    }
    Failure::all(sentences)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::{Answer, next_page, refusal};

    #[test]
    fn refusals_are_sentences() {
        let check = |body: serde_json::Value, expected: &[&str]| {
            let answer =
                Answer { status: StatusCode::BAD_REQUEST, headers: HeaderMap::new(), body };
            assert_eq!(refusal(&answer).messages(), expected);
        };
        let errors = json!([
            {"pointer": "/role", "detail": "is unknown"},
            {"pointer": "/password", "detail": "is short"},
        ]);
        check(
            json!({"detail": "Two.", "errors": errors}),
            &["role is unknown", "password is short"],
        );
        check(json!({"title": "No", "detail": "There is none."}), &["There is none."]);
        check(json!({"title": "No"}), &["No"]);
        check(json!(null), &["the application answers 400 Bad Request"]);
    }

    #[test]
    fn pages_are_followed() {
        let check = |link: &str, expected: Option<&str>| {
            let headers = HeaderMap::from_iter([(http::header::LINK, link.parse().unwrap())]);
            assert_eq!(next_page(&headers).as_deref(), expected, "{link}");
        };
        check("</users?after=x>; rel=\"next\"", Some("/users?after=x"));
        check("</users>; rel=\"prev\"", None);
        check("nonsense", None);
        assert_eq!(next_page(&HeaderMap::new()), None);
    }
}
