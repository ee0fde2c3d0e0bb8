//! HTTP middleware: nobody passes without a good token that allows what is asked for, and whoever
//! passes is named by headers that only this component can have set.
//!
//! It verifies tokens itself ([`admit`]), so a request costs no call to auth, and compares what
//! they allow with the policy ([`authorize`]), so that the component behind never runs for somebody
//! who may not; whether a token's session has ended it asks the key-value store, which answers from
//! memory. It touches neither body: request and response go through as the handles they came as,
//! streams and trailers included. The `Authorization` header ends here, because what is behind has
//! no use for a token that would work elsewhere; every other header is passed on as it came.
//!
//! Whom it refuses the component behind writes into its audit log ([`note`]).
//!
//! It has no permissions of its own. Its variables and its store are those of the component it
//! stands in front of, which must therefore have `jwt_public_key`, `jwt_issuer`, `jwt_audience` and
//! the key-value store `default`.

mod admit;
mod authorize;
mod forward;
mod note;
mod revocation;
mod settings;

use kit::{Problem, Reply, reply};
use spin_sdk::http::IntoResponse;
use spin_sdk::wasip3::exports::http::handler::Guest;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Method, Request, Response};

use admit::Stop;
use authorize::{Leave, Wish};
use note::Refused;
use token::Why;

// Not spin-sdk's `#[http_service]`: it would copy every header in and out of this component's
// memory, and the body of the response with them.
struct Guard;
spin_sdk::wasip3::http::service::export!(Guard);

impl Guest for Guard {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let headers = request.get_headers();
        let wish = Wish::of(&request)?;
        if wish.is_public() {
            return forward::forward(request, &headers, None).await;
        }
        let operation = wish.operation();
        let identity = match admit::admit(&headers).await {
            Ok(identity) => identity,
            Err(Stop::Failed(problem)) => return answer(&request, refused(problem, &headers)),
            Err(Stop::Refused { problem, why, identity }) => {
                Refused { why, operation, identity }.note(&headers).await;
                return answer(&request, refused(problem, &headers));
            }
        };
        match wish.decide(&identity, &admit::request_id(&headers)) {
            Leave::Pass => forward::forward(request, &headers, Some(&identity)).await,
            Leave::Answer(reply) => answer(&request, reply),
            Leave::Nothing(problem) => answer(&request, refused(problem, &headers)),
            Leave::Forbid(problem) => {
                let (why, identity) = (Why::Forbidden, Some(identity));
                Refused { why, operation, identity }.note(&headers).await;
                answer(&request, refused(problem, &headers))
            }
        }
    }
}

fn refused(problem: Problem, headers: &Fields) -> Reply {
    problem.into_reply(&admit::request_id(headers))
}

fn answer(request: &Request, reply: Reply) -> Result<Response, ErrorCode> {
    let is_head = matches!(request.get_method(), Method::Head);
    if is_head { reply::without_body(reply) } else { reply }.into_response()
}
