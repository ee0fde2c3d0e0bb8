//! gRPC from the outside, with a component behind it: a client that knows nothing learns the
//! contract by reflection and calls by it. The component is a test guest with billing's oldest
//! interface and no database.

use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;
use tokio::sync::OnceCell;
use tonic::Code;
use ward_tests::{Grpc, Options, Repository, Ward, claims, tools, wasm};

const CREATE: &str = "BillingService/CreateBillingAccount";
const CLOSE: &str = "BillingService/CloseBillingAccount";
const PATIENT: &str = "123e4567-e89b-12d3-a456-426614174000";

/// A ward that serves the guest: under its legacy name, and once more with little time and for
/// everybody.
async fn ward() -> &'static Ward {
    static WARD: OnceCell<Ward> = OnceCell::const_new();
    WARD.get_or_init(|| async {
        let home = Ward::new_home().keep();
        let manifest = home.join("spin.toml");
        fs::write(&manifest, manifest_text()).unwrap();
        let options = Options { from: Some(manifest), ..Options::default() };
        tokio::task::spawn_blocking(|| Ward::start_for_good(options, home)).await.unwrap()
    })
    .await
}

fn manifest_text() -> String {
    let source = wasm("guest_clerk").display().to_string();
    format!(
        r#"spin_manifest_version = 2
        application.name = "clerk"
        [variables]
        jwt_private_key = {{ required = true, secret = true }}
        jwt_public_key = {{ required = true }}
        [application.trigger.grpc]
        caller = "pms:common/types.caller"
        [application.trigger.grpc.token]
        public_key = "{{{{ jwt_public_key }}}}"
        issuer = "https://ward.local/auth"
        audience = "ward"
        [[trigger.grpc]]
        component = "clerk"
        interface = "pms:billing/billing-service@1.0.0"
        package = ""
        [trigger.grpc.scopes]
        create-billing-account = "billing.write"
        close-billing-account = "billing.write"
        [[trigger.grpc]]
        component = "brief"
        interface = "pms:billing/billing-service"
        package = "brief"
        public = true
        [component.clerk]
        source = {source:?}
        [component.brief]
        source = {source:?}
        tool.ward.deadline = "2s"
        "#
    )
}

async fn stranger() -> Grpc {
    Grpc::connect(ward().await.listener("grpc").expect("a gRPC listener")).await
}

async fn user() -> Grpc {
    stranger().await.with_token(&ward().await.forge().sign(&claims()))
}

fn request(name: &str) -> Value {
    json!({"patientId": PATIENT, "name": name, "email": "ada@example.com"})
}

#[tokio::test]
async fn the_contract_is_learnt_by_reflection() {
    let client = stranger().await;
    let services = client.services();
    for service in ["BillingService", "brief.BillingService", "grpc.health.v1.Health"] {
        assert!(services.contains(service), "{services:?}");
    }
    let methods = client.methods("BillingService");
    assert_eq!(methods, ["CreateBillingAccount", "CloseBillingAccount"]);
}

#[tokio::test]
async fn the_legacy_call() {
    let answer = user().await.call(CREATE, &request("Ada")).await.unwrap();
    assert_eq!(answer, json!({"accountId": PATIENT, "status": "ACTIVE"}));
}

#[tokio::test]
async fn the_component_learns_who_calls_from_the_token() {
    let claims = claims();
    let id = "0198a3c0-7e1b-7c3a-9d52-0123456789ab";
    let client = stranger().await.with_token(&ward().await.forge().sign(&claims));
    let client = client.with("x-request-id", id);
    let answer = client.call(CLOSE, &json!({"patientId": PATIENT})).await.unwrap();
    let text = |name: &str| claims[name].as_str().unwrap().to_owned();
    let who = format!("{}|{}|{}", text("sub"), text("role"), text("jti"));
    assert_eq!(answer, json!({"accountId": id, "status": who}));
    let client = stranger().await.with("x-request-id", id);
    let close = "brief.BillingService/CloseBillingAccount";
    let answer = client.call(close, &json!({"patientId": PATIENT})).await.unwrap();
    assert_eq!(answer, json!({"accountId": id, "status": "||"}));
}

#[tokio::test]
async fn without_a_good_token_nobody_is_let_in() {
    let status = stranger().await.call(CREATE, &request("Ada")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let mut expired = claims();
    expired["exp"] = json!(expired["iat"].as_u64().unwrap() - 1);
    let forge = ward().await.forge();
    let tokens = [
        forge.sign(&expired),
        forge.sign_hs256_with_public_key(&claims()),
        forge.unsigned("none", &claims()),
        ward_tests::Forge::new().sign(&claims()),
    ];
    for token in tokens {
        let status = stranger().await.with_token(&token).call(CREATE, &request("Ada")).await;
        assert_eq!(status.unwrap_err().code(), Code::Unauthenticated, "{token}");
    }
}

#[tokio::test]
async fn what_the_component_refuses_and_how_it_fails() {
    let user = user().await;
    let status = user.call(CREATE, &json!({"patientId": PATIENT})).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    // google.rpc.Status with a BadRequest, by its names in the bytes.
    let details = String::from_utf8_lossy(status.details()).into_owned();
    for part in ["google.rpc.BadRequest", "email", "must not be empty"] {
        assert!(details.contains(part), "{details}");
    }
    let status = user.call(CREATE, &request("unavailable")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "Not today."));
    let status = user.call(CREATE, &request("trap")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
    user.call(CREATE, &request("Ada")).await.expect("the next call has another instance");
}

#[tokio::test]
async fn deadlines_of_the_client_and_of_the_component() {
    let user = user().await;
    let short = Some(Duration::from_millis(100));
    let status = user.call_at(CREATE, &request("wait"), short).await.unwrap_err();
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
    let brief = "brief.BillingService/CreateBillingAccount";
    let status = stranger().await.call(brief, &request("wait")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn stopping_lets_a_call_end_and_takes_no_other() {
    let home = Ward::new_home();
    let manifest = home.path().join("spin.toml");
    fs::write(&manifest, manifest_text()).unwrap();
    let mut ward = Ward::start(Options { from: Some(manifest), ..Options::default() });
    let client = Grpc::connect(ward.listener("grpc").unwrap()).await;
    let client = client.with_token(&ward.forge().sign(&claims()));
    client.call(CREATE, &request("Ada")).await.unwrap();
    assert!(ward.stop().success(), "{}", ward.log());
    let again = client.call(CREATE, &request("Ada")).await;
    // There is no server any more; the code is the client library's own, by how it noticed.
    let code = again.unwrap_err().code();
    assert!(matches!(code, Code::Unavailable | Code::Unknown), "{code:?}");
    assert!(!ward.log().contains("were cut"), "{}", ward.log());
}

#[tokio::test]
async fn the_log_has_a_line_for_each_call_and_nothing_of_what_was_said() {
    let user = user().await;
    let id = "0198a3c0-7e1b-7c3a-9d52-00000000c0de";
    let unique = "Zebedee Quillfeather";
    user.with("x-request-id", id).call(CREATE, &request(unique)).await.unwrap();
    let ward = ward().await;
    let line = |text: &str| text.lines().find(|line| line.contains(id)).map(str::to_owned);
    let line = loop {
        if let Some(line) = line(&ward.log()) {
            break line;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    for part in ["/BillingService/CreateBillingAccount", "clerk", "OK"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!ward.log().contains("Quillfeather") && !ward.log().contains("eyJ"));
}

const PACKAGES: [&str; 3] =
    ["grpcio==1.76.0", "grpcio-reflection==1.76.0", "grpcio-health-checking==1.76.0"];

/// Another implementation of everything: Python's grpcio with its reflection client.
#[tokio::test]
async fn a_client_in_another_language_does_the_same() {
    let ward = ward().await;
    let address = ward.listener("grpc").unwrap().trim_start_matches("http://").to_owned();
    let token = ward.forge().sign(&claims());
    let output = tokio::task::spawn_blocking(move || {
        let script = Repository::here().root().join("tests/tests/it/generic_client.py");
        let python = tools::python("grpc", &PACKAGES).expect("grpcio");
        let mut command = Command::new(python);
        command.arg(script).args([&address, &token]).output().expect("Python runs")
    });
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaints}");
    let expected = format!(
        "BillingService brief.BillingService grpc.health.v1.Health\n\
         SERVING\n\
         {PATIENT} ACTIVE\n\
         UNAUTHENTICATED\n\
         INVALID_ARGUMENT\n"
    );
    assert_eq!(said, expected, "{complaints}");
}
