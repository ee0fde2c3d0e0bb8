//! Test guest: answers every request with `hello`. The benchmark's yardstick; it must stay trivial.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(_request: Request) -> impl IntoResponse {
    "hello\n"
}
