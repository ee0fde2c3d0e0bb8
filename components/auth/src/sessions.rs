//! `POST /auth/logout`, `GET /auth/sessions` and `DELETE /auth/sessions/{id}`: one's own sessions.
//!
//! An end is answered once everybody who verifies tokens can know of it: a session's access tokens
//! are refused from the answer on. Where the announcement fails the answer is 503, the session has
//! ended all the same, and asking again announces it.

use http::{HeaderName, HeaderValue, StatusCode};
use kit::problem::{NOT_FOUND, UNAUTHORIZED};
use kit::route::Call;
use kit::{Problem, Reply, reply};

use crate::announce;
use crate::failure::{Failure, failed};
use crate::store;
use crate::store::sessions::{self, Way};

/// What a browser is to forget with the session that it has (Clear Site Data, 3.1).
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
const FORGET: &str = "\"cache\", \"storage\"";

/// `POST /auth/logout`
pub(crate) async fn logout(call: &Call<'_>) -> Result<Reply, Problem> {
    let session = call.caller.session_id.as_deref();
    let session = session.ok_or_else(|| Problem::new(UNAUTHORIZED))?;
    end(call, session, Way::Logout).await
}

/// `DELETE /auth/sessions/{id}`
pub(crate) async fn delete(call: &Call<'_>) -> Result<Reply, Problem> {
    end(call, &call.id("id")?, Way::End).await
}

/// `GET /auth/sessions`
pub(crate) async fn list(call: &Call<'_>) -> Result<Reply, Problem> {
    let current = call.caller.session_id.as_deref();
    let found = async {
        let database = store::open().await?;
        let found = sessions::list(&database, &call.caller.access(), current).await?;
        Ok::<_, Failure>(found)
    };
    let found = found.await.map_err(failed(call))?;
    Ok(reply::json(StatusCode::OK, &found))
}

async fn end(call: &Call<'_>, session: &str, way: Way) -> Result<Reply, Problem> {
    let ended = async {
        let database = store::open().await?;
        let there = sessions::end(&database, &call.caller.access(), session, way).await?;
        announce::announce(&database).await?;
        Ok::<_, Failure>(there)
    };
    if !ended.await.map_err(failed(call))? {
        return Err(Problem::new(NOT_FOUND).detail("You have no session with this id."));
    }
    let mut answer = reply::empty(StatusCode::NO_CONTENT);
    if call.caller.session_id.as_deref() == Some(session) {
        answer.headers_mut().insert(CLEAR_SITE_DATA, HeaderValue::from_static(FORGET));
    }
    Ok(answer)
}
