//! `GET /auth/.well-known/jwks.json`: the public keys of tokens, for whoever verifies them
//! elsewhere.

use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use kit::route::Call;
use kit::{Problem, Reply, reply};
use token::KeySet;

use crate::failure::{Failure, failed};
use crate::settings::{self, Unusable};

/// Keys may be kept for five minutes: a key that is to sign has to be published for so long before
/// it does. It is what guard keeps its own for, and more.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// Answers with all keys that a token may be signed with.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    let keys = settings::public_keys()
        .await
        .and_then(|keys| KeySet::new(&keys).map_err(|_| Unusable("jwt_public_key-no-key")));
    let keys = keys.map_err(Failure::from).map_err(failed(call))?;
    let mut answer = reply::json(StatusCode::OK, &keys);
    answer.headers_mut().insert(CACHE_CONTROL, KEPT);
    Ok(answer)
}
