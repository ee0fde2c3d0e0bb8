//! What a client is told: the code, the text and the details, for whatever a component says or
//! fails to say.

use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::probe::SECRET;
use crate::site::{ASK_OPENLY, Question, Site, question};

async fn status(site: &Site, what: &str, count: u32) -> Status {
    site.client().await.ask(what, count).await.expect_err("a refusal")
}

#[tokio::test]
async fn an_answer_is_what_the_function_returned() {
    let site = Site::new().await;
    let mut request = question("echo", 5);
    request.get_mut().padding = "grüß".to_owned();
    let response = site.client().await.call(ASK_OPENLY, request).await.unwrap();
    assert_eq!(response.metadata().get("content-type").unwrap(), "application/grpc");
    let answer = response.into_inner();
    assert_eq!((answer.text.as_str(), answer.count), ("grüß", 5));
}

#[tokio::test]
async fn each_case_has_the_code_of_its_name() {
    let site = Site::new().await;
    let codes = [
        Code::Cancelled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
        Code::Unknown,
    ];
    for (case, code) in (0..).zip(codes) {
        let status = status(&site, "refuse", case).await;
        assert_eq!(status.code(), code, "{case}");
        if code != Code::InvalidArgument {
            assert_eq!(status.message(), format!("case {case}"));
            assert_eq!(status.details(), b"");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_fields_is_in_the_details() {
    let site = Site::new().await;
    let status = status(&site, "refuse", 2).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_details_bad_request().expect("a BadRequest");
    let told: Vec<_> = details
        .field_violations
        .iter()
        .map(|violation| (violation.field.as_str(), violation.description.as_str()))
        .collect();
    assert_eq!(told, [("amount.currency", "is no currency"), ("id", "is no UUID")]);
    for field in ["amount.currency", "id"] {
        assert!(status.message().contains(field), "{status:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_none_names_the_field() {
    let site = Site::new().await;
    let mut request = question("echo", 0);
    request.get_mut().mood = Some(77);
    let status = site.client().await.call(ASK_OPENLY, request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("mood"), "{status:?}");
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "mood");
    assert_eq!(site.reached(), 0);
}

#[tokio::test]
async fn failures_of_the_host_or_the_component() {
    let site = Site::new().await;
    for what in ["trap", "start", "arguments", "mismatch"] {
        let status = status(&site, what, 0).await;
        assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
        assert!(!format!("{status:?}").contains(SECRET));
    }
    assert_eq!(status(&site, "late", 0).await.code(), Code::DeadlineExceeded);
    assert_eq!(status(&site, "full", 0).await.code(), Code::Unavailable);
}

#[tokio::test]
async fn methods_that_are_not_there() {
    let site = Site::new().await;
    let client = site.client().await;
    for path in ["/open.Desk/ask", "/open.Desk/Askk", "/Desk/Ask", "/", "/open.Desk/Ask/"] {
        let status = client.call(path, Request::new(Question::default())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{path}");
    }
}
