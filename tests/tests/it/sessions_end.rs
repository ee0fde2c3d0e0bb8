//! A session that has ended is refused by everybody who lets callers in: at once where it ended,
//! and within a second at every other ward; and nobody is let in while that cannot be told.

use std::time::{Duration, Instant};

use serde_json::json;
use tonic::Code;
use uuid::Uuid;
use ward_tests::{Answer, Api, Database, Forge, Grpc, Options, Ward, claims};

use crate::analytics_stream::{Listener, Said};

/// How late a ward may hear of it.
const LATE_MAX: Duration = Duration::from_secs(1);

/// The routes that guard stands in front of, with the component that has a port of its own.
const GUARDED: [(&str, &str); 3] = [
    ("patients", "/api/patients?limit=1"),
    ("billing", "/api/billing/accounts?limit=1"),
    ("analytics", "/api/analytics/summary"),
];

const ACCOUNTS: &str = "pms.billing.v1.Accounts/ListAccounts";

/// A token and its session.
struct Session {
    id: String,
    token: String,
}

impl Session {
    fn new(forge: &Forge) -> Session {
        let id = Uuid::new_v4().to_string();
        let mut claims = claims();
        claims["sid"] = json!(id);
        Session { token: forge.sign(&claims), id }
    }

    /// Ends it as another ward would: with the key, and a notification.
    async fn end(&self, database: &Database) {
        let sql = "WITH counted AS ( \
                UPDATE store SET version = version + 1 WHERE name = 'default' RETURNING version \
            ), written AS ( \
                INSERT INTO pair (store, key, value, version) \
                SELECT 'default', convert_to($1, 'UTF8'), '', version FROM counted \
            ) SELECT version, pg_notify('ward_key_value', '')::text FROM counted";
        let key = format!("revoked/{}", self.id);
        assert_eq!(database.run(sql, &[&key]).await, Ok(1));
    }
}

/// Everywhere that a token is shown.
struct Doors {
    http: Vec<(Api, &'static str)>,
    grpc: Grpc,
}

impl Doors {
    async fn of(ward: &Ward, token: &str) -> Doors {
        let own = |(component, path)| {
            let listener = ward.listener(component).expect("a port of its own");
            [(ward.api().with_token(token), path), (Api::new(listener).with_token(token), path)]
        };
        let http = GUARDED.into_iter().flat_map(own).collect();
        let grpc = Grpc::connect(ward.listener("grpc").expect("a gRPC listener")).await;
        Doors { http, grpc: grpc.with_token(token) }
    }

    /// The status at each, and the code over gRPC.
    async fn states(&self) -> (Vec<u16>, Code) {
        let mut http = Vec::new();
        for (api, path) in &self.http {
            http.push(api.get(path).await.status);
        }
        let called = self.grpc.call(ACCOUNTS, &json!({})).await;
        (http, called.err().map_or(Code::Ok, |status| status.code()))
    }

    async fn are_open(&self) {
        assert_eq!(self.states().await, (vec![200; self.http.len()], Code::Ok));
    }

    async fn are_closed(&self) {
        assert_eq!(self.states().await, (vec![401; self.http.len()], Code::Unauthenticated));
    }
}

/// Waits until the first door is closed, for as long as that may take.
async fn closing(doors: &Doors) {
    let (api, path) = &doors.http[0];
    let started = Instant::now();
    while api.get(path).await.status != 401 {
        assert!(started.elapsed() < LATE_MAX, "it is still open");
    }
}

#[tokio::test]
async fn a_session_that_ended_elsewhere_is_refused_at_every_door() {
    let ward = Ward::shared();
    let (ended, other) = (Session::new(ward.forge()), Session::new(ward.forge()));
    let doors = Doors::of(ward, &ended.token).await;
    doors.are_open().await;
    ended.end(&ward.key_value().await).await;
    closing(&doors).await;
    doors.are_closed().await;
    Doors::of(ward, &other.token).await.are_open().await;
}

/// Whether a token is forged or its session has ended is nobody's business.
#[tokio::test]
async fn an_ended_session_is_told_what_any_bad_token_is_told() {
    let ward = Ward::shared();
    let session = Session::new(ward.forge());
    let doors = Doors::of(ward, &session.token).await;
    doors.are_open().await;
    session.end(&ward.key_value().await).await;
    closing(&doors).await;
    let forged = Session::new(&Forge::new());
    let told = async |token: &str| {
        let answer = ward.api().with_token(token).get("/api/patients").await;
        let mut problem = answer.problem(401);
        problem.as_object_mut().expect("an object").remove("instance");
        (problem, answer.header("www-authenticate").to_owned())
    };
    assert_eq!(told(&session.token).await, told(&forged.token).await);
    let grpc = |token: &str| doors.grpc.with_token(token);
    let told = async |client: Grpc| {
        let status = client.call(ACCOUNTS, &json!({})).await.expect_err("it is refused");
        (status.code(), status.message().to_owned())
    };
    assert_eq!(told(grpc(&session.token)).await, told(grpc(&forged.token)).await);
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_says_so() {
    let ward = Ward::shared();
    let (ended, other) = (Session::new(ward.forge()), Session::new(ward.forge()));
    let api = |session: &Session| ward.api().with_token(&session.token);
    let mut streams =
        [Listener::open(&api(&ended), None).await, Listener::open(&api(&ended), None).await];
    let mut goes_on = Listener::open(&api(&other), None).await;
    ended.end(&ward.key_value().await).await;
    let started = Instant::now();
    for stream in &mut streams {
        assert_eq!(stream.last().await, Said::Ended(json!({"reason": "session-ended"})));
        assert_eq!(stream.next().await, Said::End);
    }
    assert!(started.elapsed() < LATE_MAX, "{:?}", started.elapsed());
    let still = tokio::time::timeout(LATE_MAX, goes_on.last()).await;
    assert!(still.is_err(), "{still:?}");
}

/// Two wards over the same databases. The connections of both are ended now and then: that makes
/// nothing late.
#[tokio::test]
async fn a_session_ends_at_all_wards_within_a_second() {
    let mut first = Ward::start(Options::demo());
    let mut second = Ward::start(first.replica());
    let database = first.key_value().await;
    for round in 0..6 {
        let session = Session::new(first.forge());
        let doors =
            [Doors::of(&first, &session.token).await, Doors::of(&second, &session.token).await];
        for doors in &doors {
            doors.are_open().await;
        }
        if round % 2 == 1 {
            cut(&database).await;
        }
        session.end(&database).await;
        let (one, two) = (closing(&doors[0]), closing(&doors[1]));
        tokio::join!(one, two);
        for doors in &doors {
            doors.are_closed().await;
        }
    }
    assert!(second.stop().success(), "{}", second.log());
    assert!(first.stop().success(), "{}", first.log());
}

/// A logout, as a user does it.
#[tokio::test]
async fn a_logout_is_over_with_the_next_request_here_and_within_a_second_elsewhere() {
    let mut first = Ward::start(Options::demo());
    let mut second = Ward::start(first.replica());
    for _ in 0..5 {
        let user = first.user().await;
        let doors = [Doors::of(&first, user.token()).await, Doors::of(&second, user.token()).await];
        for doors in &doors {
            doors.are_open().await;
        }
        let mut stream = Listener::open(&second.api().with_token(user.token()), None).await;
        assert_eq!(user.send("POST", "/auth/logout").await.status, 204);
        let ended = Instant::now();
        doors[0].are_closed().await;
        closing(&doors[1]).await;
        println!("refused at the other ward after {:?} at most", ended.elapsed());
        assert_eq!(stream.last().await, Said::Ended(json!({"reason": "session-ended"})));
        assert!(ended.elapsed() < LATE_MAX, "{:?}", ended.elapsed());
        doors[1].are_closed().await;
    }
    assert!(second.stop().success(), "{}", second.log());
    assert!(first.stop().success(), "{}", first.log());
}

/// Ends every connection to the stores' database but this one.
async fn cut(database: &Database) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.rows(sql, &[]).await;
}

#[tokio::test]
async fn nobody_is_let_in_while_it_cannot_be_told_who_may_be() {
    let mut ward = Ward::start(Options::demo());
    let session = Session::new(ward.forge());
    let doors = Doors::of(&ward, &session.token).await;
    doors.are_open().await;
    let mut stream = Listener::open(&ward.api().with_token(&session.token), None).await;
    let database = ward.key_value().await;
    let run = async |sql: &str| database.run(sql, &[]).await.expect("the role owns it");
    run("ALTER DATABASE key_value CONNECTION LIMIT 0").await;
    cut(&database).await;
    let started = Instant::now();
    let (api, path) = &doors.http[0];
    while api.get(path).await.status == 200 {
        assert!(started.elapsed() < LATE_MAX, "what was known is believed for too long");
    }
    assert_eq!(doors.states().await, (vec![503; doors.http.len()], Code::Unavailable));
    let refused: Answer = api.get(path).await;
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.problem(503)["type"], "urn:ward:problem:unavailable");
    // A token that is none is none all the same.
    assert_eq!(ward.api().with_token("x").get(path).await.status, 401);
    assert_eq!(ward.api().get(path).await.status, 401);

    // What ended meanwhile is over when it can be told again: streams too.
    session.end(&database).await;
    run("ALTER DATABASE key_value CONNECTION LIMIT -1").await;
    let started = Instant::now();
    while api.get(path).await.status == 503 {
        assert!(started.elapsed() < LATE_MAX * 10, "it stays closed");
    }
    doors.are_closed().await;
    let ended: Said = stream.last().await;
    assert_eq!(ended, Said::Ended(json!({"reason": "session-ended"})));
    assert!(ward.stop().success(), "{}", ward.log());
    for secret in [&session.id, &session.token, &ward.database_password("key_value")] {
        assert!(!ward.log().contains(secret.as_str()), "{}", ward.log());
    }
}
