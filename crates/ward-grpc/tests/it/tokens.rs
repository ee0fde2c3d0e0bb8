//! Who may call: whoever comes with a good token, and anybody where the trigger says so. Which
//! tokens are good is for the token library's tests; here it is that the server asks it.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use token::LIFETIME_SECONDS;
use tonic::{Code, Request};
use ward_grpc::{Look, Options, Revoked};

use crate::raw::{Raw, request_to};
use crate::site::{
    ASK, ASK_OPENLY, AUDIENCE, ISSUER, MANIFEST, Question, SESSION, SUBJECT, Site, TOKEN_ID,
    authorized, good_token, now, options, question, token, token_allowing,
};

const SENT_ID: &str = "0198a3c0-7e1b-7c3a-9d52-0123456789ab";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn text(site: &Site, path: &'static str, mut request: Request<Question>) -> String {
    request.metadata_mut().insert("x-request-id", SENT_ID.parse().unwrap());
    site.client().await.call(path, request).await.unwrap().into_inner().text
}

#[tokio::test]
async fn the_component_learns_who_calls_from_the_token_alone() {
    let site = Site::new().await;
    let expected = format!("{SUBJECT}|ADMIN|{TOKEN_ID}|{SENT_ID}|{TRACE}|127.0.0.1");
    let mut request = authorized("caller", &format!("Bearer {}", good_token()));
    request.metadata_mut().insert("traceparent", TRACE.parse().unwrap());
    for name in ["ward-user-id", "user-id", "caller"] {
        request.metadata_mut().insert(name, "mallory".parse().unwrap());
    }
    assert_eq!(text(&site, ASK, request).await, expected);
}

#[tokio::test]
async fn a_public_method_has_no_caller_even_with_a_token() {
    let site = Site::new().await;
    let expected = format!("|||{SENT_ID}||127.0.0.1");
    assert_eq!(text(&site, ASK_OPENLY, question("caller", 0)).await, expected);
    for value in [format!("Bearer {}", good_token()), "Bearer x.y.z".to_owned()] {
        assert_eq!(text(&site, ASK_OPENLY, authorized("caller", &value)).await, expected);
    }
}

#[tokio::test]
async fn a_request_id_that_is_none_is_replaced() {
    let site = Site::new().await;
    let client = site.client().await;
    let mut request = question("caller", 0);
    request.metadata_mut().insert("x-request-id", "Jane Roe".parse().unwrap());
    let response = client.call(ASK_OPENLY, request).await.unwrap();
    let id = response.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned();
    assert_eq!(uuid::Uuid::try_parse(&id).unwrap().get_version_num(), 7);
    assert_eq!(response.into_inner().text, format!("|||{id}||127.0.0.1"));
}

#[tokio::test]
async fn without_a_good_token_nobody_is_let_in() {
    let site = Site::new().await;
    let client = site.client().await;
    let status = client.call(ASK, question("echo", 0)).await.unwrap_err();
    let missing = "a bearer token is needed, as metadata `authorization`";
    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, missing));
    let good = good_token();
    let (head, rest) = good.split_once('.').unwrap();
    let values = [
        format!("Bearer {}", token(1, ISSUER, AUDIENCE, now())),
        format!("Bearer {}", token(0, "https://evil.example", AUDIENCE, now())),
        format!("Bearer {}", token(0, ISSUER, "billing", now())),
        format!("Bearer {}.{rest}", head.to_uppercase()),
        format!("Bearer {good}x"),
        format!("Bearer {}", "a".repeat(9000)),
        format!("Bearer eyJhbGciOiJub25lIn0.{rest}"),
        format!("Basic {good}"),
        good.clone(),
        "Bearer ".to_owned(),
    ];
    for (issued, message) in [
        (now() - 2 * LIFETIME_SECONDS, "the token has expired"),
        (now() + 3600, "the token is from the future: the clocks of server and issuer differ"),
    ] {
        let value = format!("Bearer {}", token(0, ISSUER, AUDIENCE, issued));
        let status = client.call(ASK, authorized("echo", &value)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, message));
    }
    for value in values {
        let status = client.call(ASK, authorized("echo", &value)).await.unwrap_err();
        let invalid = (Code::Unauthenticated, "the token is not valid");
        assert_eq!((status.code(), status.message()), invalid, "{value}");
        assert!(status.details().is_empty());
    }
    let mut twice = authorized("echo", &format!("Bearer {good}"));
    twice.metadata_mut().append("authorization", format!("Bearer {good}").parse().unwrap());
    assert_eq!(client.call(ASK, twice).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(site.reached(), 0);
    for _ in 0..2 {
        client.call(ASK, authorized("echo", &format!("bearer {good}"))).await.unwrap();
    }
}

/// A few by themselves, the others together; what could not be told is told with those.
#[tokio::test]
async fn all_who_were_refused_are_told_of_before_the_server_has_stopped() {
    for to_fail in [0, 11] {
        let named =
            MANIFEST.replace("caller = ", "refused = \"test:clinic/log.note\"\n    caller = ");
        let mut site = Site::serving_manifest(&named).await;
        site.probe.notes_to_fail.store(to_fail, Relaxed);
        let noted = site.probe.noted.clone();
        let client = site.client().await;
        for _ in 0..30 {
            let status = client.call(ASK, question("echo", 0)).await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated);
        }
        site.stop();
        site.drained().await;
        let noted = noted.lock().unwrap();
        assert_eq!(noted.iter().sum::<u64>(), 30, "{to_fail}: {noted:?}");
        assert!(noted.len() <= 11, "{to_fail}: {noted:?}");
    }
}

/// A site whose store says this of each key that it is asked for, and the keys.
async fn looked_up(found: Result<bool, String>) -> (Site, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let keys = asked.clone();
    let look: Look = Arc::new(move |key| {
        keys.lock().unwrap().push(key);
        let found = found.clone();
        Box::pin(async move { found })
    });
    let revoked = Some(Revoked::new("ended/", look));
    (Site::start(Options { revoked, ..options() }).await, asked)
}

#[tokio::test]
async fn a_token_is_as_good_as_its_session() {
    let invalid = (Code::Unauthenticated, "the token is not valid");
    let unknown = (Code::Unavailable, "the token cannot be checked now; try again");
    let value = format!("Bearer {}", good_token());
    for (found, refused) in
        [(Ok(false), None), (Ok(true), Some(invalid)), (Err("Jane Roe".to_owned()), Some(unknown))]
    {
        let (site, asked) = looked_up(found).await;
        let outcome = site.client().await.call(ASK, authorized("echo", &value)).await;
        let told = outcome.as_ref().err().map(|status| (status.code(), status.message()));
        assert_eq!(told, refused);
        assert_eq!(site.reached(), usize::from(refused.is_none()));
        assert_eq!(*asked.lock().unwrap(), [format!("ended/{SESSION}")]);
    }
}

#[tokio::test]
async fn nobody_looks_for_the_session_of_a_token_that_is_none() {
    let (site, asked) = looked_up(Ok(true)).await;
    let client = site.client().await;
    let forged = format!("Bearer {}", token(1, ISSUER, AUDIENCE, now()));
    assert!(client.call(ASK, authorized("echo", &forged)).await.is_err());
    client.call(ASK_OPENLY, authorized("echo", &forged)).await.unwrap();
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_may_not_call_is_told_which_scope_it_takes_and_reaches_nothing() {
    let site = Site::new().await;
    let client = site.client().await;
    for scopes in ["", "desk.close", "desk.asks desk", "DESK.ASK"] {
        let bearer = format!("Bearer {}", token_allowing(scopes));
        let status = client.call(ASK, authorized("echo", &bearer)).await.unwrap_err();
        let expected = (Code::PermissionDenied, "this takes the scope desk.ask");
        assert_eq!((status.code(), status.message()), expected, "{scopes}");
        // A public method looks at no token.
        client.call(ASK_OPENLY, authorized("echo", &bearer)).await.unwrap();
    }
    let bearer = format!("Bearer {}", token_allowing("desk.close desk.ask"));
    let reached = site.reached();
    client.call(ASK, authorized("echo", &bearer)).await.unwrap();
    assert_eq!((reached, site.reached()), (4, 5));
}

#[tokio::test]
async fn a_method_without_a_scope_is_nobodys() {
    let site = Site::serving_manifest(&MANIFEST.replace("{ ask = \"desk.ask\" }", "{}")).await;
    let bearer = format!("Bearer {}", good_token());
    let status = site.client().await.call(ASK, authorized("echo", &bearer)).await.unwrap_err();
    let expected = (Code::PermissionDenied, "nobody may call this");
    assert_eq!((status.code(), status.message(), site.reached()), (expected.0, expected.1, 0));
}

#[tokio::test]
async fn a_token_elsewhere_is_none() {
    let site = Site::new().await;
    let mut raw = Raw::connect(&site).await;
    let good = good_token();
    for name in ["authorization-bin", "x-authorization", "cookie"] {
        let path = format!("{ASK}?access_token={good}");
        let head = request_to(&path, &[(name, good.as_str())]);
        let answer = raw.send(head, bytes::Bytes::new()).await;
        assert_eq!(answer.code, Some(Code::Unauthenticated), "{name}");
    }
}
