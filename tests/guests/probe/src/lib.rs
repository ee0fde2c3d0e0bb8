//! Test guest: uses one capability of the host for each path and reports as text what came of it,
//! `ok <what>` or `error <why>`, always with status 200. It answers with what it was given, error
//! texts of a database included, so it is for tests alone.

mod files;
mod network;
mod postgres;
mod stores;

use std::collections::HashMap;

use spin_sdk::http::Request;
use spin_sdk::http_service;

/// What a probe found: a value, or the error as text.
type Outcome = Result<String, String>;

#[http_service]
async fn handle(request: Request) -> String {
    let query = Query::of(&request);
    let outcome = match request.uri().path() {
        "/http" => network::http(&query).await,
        "/socket" => network::socket(&query),
        "/listen" => network::listen(&query),
        "/variable" => stores::variable(&query).await,
        "/kv/set" => stores::set(&query).await,
        "/kv/get" => stores::get(&query).await,
        "/kv/delete" => stores::delete(&query).await,
        "/kv/list" => stores::list(&query).await,
        "/env" => files::env(&query),
        "/env/all" => Ok(files::env_all()),
        "/file/read" => files::read(&query),
        "/file/write" => files::write(&query),
        "/file/list" => files::list(&query),
        "/pg/open" => postgres::open(&query).await,
        "/pg/query" => postgres::query(&query).await,
        "/pg/query-sync" => postgres::query_sync(&query),
        "/pg/execute" => postgres::execute(&query).await,
        "/pg/abandon" => postgres::abandon(&query).await,
        path => Err(format!("no probe {path}")),
    };
    match outcome {
        Ok(found) => format!("ok {found}"),
        Err(why) => format!("error {why}"),
    }
}

/// The query string, decoded.
struct Query(HashMap<String, String>);

impl Query {
    fn of(request: &Request) -> Self {
        let query = request.uri().query().unwrap_or_default();
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A value that the probe needs.
    fn get(&self, name: &str) -> Result<&str, String> {
        self.0.get(name).map(String::as_str).ok_or_else(|| format!("no {name} in the query"))
    }

    /// A value that has a default.
    fn get_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.0.get(name).map_or(default, String::as_str)
    }
}

/// An error as text; `Debug`, because that is where the variant's name is.
fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
