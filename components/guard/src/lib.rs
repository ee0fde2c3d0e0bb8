//! HTTP middleware: nobody passes without a good token, and whoever passes is named by headers
//! that only this component can have set.
//!
//! It verifies tokens itself, so a request costs no call to auth; whether a token's session has
//! ended it asks the key-value store, which answers from memory. It decides nothing about roles,
//! and touches neither body: request and response go through as the handles they came as, streams
//! and trailers included. The `Authorization` header ends here, because what is behind has no use
//! for a token that would work elsewhere; every other header is passed on as it came.
//!
//! It has no permissions of its own. Its variables and its store are those of the component it
//! stands in front of, which must therefore have `jwt_public_key`, `jwt_issuer`, `jwt_audience` and
//! the key-value store `default`.

mod admit;
mod forward;
mod revocation;
mod settings;

use spin_sdk::http::IntoResponse;
use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};

// Not spin-sdk's `#[http_service]`: it would copy every header in and out of this component's
// memory, and the body of the response with them.
struct Guard;
spin_sdk::wasip3::http::service::export!(Guard);

impl Guest for Guard {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let headers = request.get_headers();
        match admit::admit(&headers).await {
            Ok(identity) => forward::forward(request, &headers, &identity).await,
            Err(problem) => problem.into_reply(&admit::request_id(&headers)).into_response(),
        }
    }
}
