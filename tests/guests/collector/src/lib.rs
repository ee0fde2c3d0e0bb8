//! Test guest: an HTTP component that uses a resource of another, which cannot be called across
//! instances. `/count` counts with it, `/variable` and `/own-variable` tell whose grants are used.

mod bindings;

use bindings::test::links::counters::{Counter, variable};
use spin_sdk::http::Request;
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> String {
    let query = request.uri().query().unwrap_or_default().to_owned();
    match request.uri().path() {
        "/count" => {
            let counter = Counter::new(40);
            counter.next();
            format!("{}\n", counter.next())
        }
        "/variable" => format!("{:?}", variable(query).await),
        "/own-variable" => format!("{:?}", spin_sdk::variables::get(&query).await),
        path => format!("no {path}"),
    }
}
