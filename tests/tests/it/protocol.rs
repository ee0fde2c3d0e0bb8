//! The host as an HTTP server: Spin's own routes, HTTP/2 without TLS, and what is no route.

use ward_tests::{Answer, Api, Patient, Ward};

#[tokio::test]
async fn health_and_info_answer_as_spins_do() {
    let api = Ward::shared().api();
    let health = api.get("/.well-known/spin/health").await;
    assert_eq!((health.status, health.body.as_str()), (200, "OK"));
    assert_eq!(health.header("content-type"), "text/plain; charset=utf-8");
    let info = api.get("/.well-known/spin/info").await;
    assert_eq!(info.status, 200);
    assert_eq!(info.json()["name"], "ward");
}

#[tokio::test]
async fn an_unknown_route_is_404() {
    let api = Ward::shared().user().await;
    for path in ["/api", "/nothing", "/api/patient", "/.well-known/spin/nothing"] {
        let answer = api.get(path).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn http_2_without_tls_serves_the_same() {
    let ward = Ward::shared();
    let user = Api::h2c(ward.gateway()).logged_in().await;
    let created = user.create(&Patient::unique().json()).await;
    assert_eq!(created.status, 201, "{created:?}");
    let read = user.get(created.header("location")).await;
    assert_eq!(read.json(), created.patient());
    Api::h2c(ward.gateway()).get("/api/patients").await.problem(401);
    user.create(&Patient::unique().without("name")).await.problem(400);
}

#[tokio::test]
async fn a_slash_at_the_end_is_ignored() {
    let answer = Ward::shared().user().await.get("/api/patients/?limit=1").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    Ward::shared().user().await.get("/api/patients//").await.problem(400);
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let api = Ward::shared().user().await;
    for _ in 0..200 {
        let answer = api.get("/api/patients?limit=1").await;
        assert_eq!(answer.status, 200, "instances are replaced without a seam: {answer:?}");
    }
}

#[tokio::test]
async fn a_clients_spin_headers_do_not_reach_a_component() {
    // The patients component builds `Link` and `Location` from what it is told about the request:
    // a client must not be able to tell it something else.
    let api = Ward::shared().user().await;
    for header in ["spin-full-url", "spin-base-path", "spin-matched-route", "spin-path-info"] {
        let request = api.request("GET", "/api/patients?limit=1&sort=name");
        let answer = Answer::of(request.header(header, "http://evil.example/x")).await;
        assert_eq!(answer.status, 200, "{header}: {answer:?}");
        assert!(!format!("{:?}", answer.headers).contains("evil"), "{header}: {answer:?}");
    }
}

#[tokio::test]
async fn no_answer_names_its_maker() {
    let api = Ward::shared().user().await;
    for path in ["/api/patients?limit=1", "/nothing", "/.well-known/spin/health"] {
        let answer = api.get(path).await;
        assert!(!answer.headers.contains_key("server"), "{answer:?}");
        assert!(!answer.headers.contains_key("x-powered-by"), "{answer:?}");
    }
}
