//! How long a call may take: what the client is going to wait, and never longer than its component
//! may take. The component knows when that is.

use std::time::Duration;

use tonic::Code;

use crate::raw::Raw;
use crate::site::{ASK_BRIEFLY, DEADLINE, Site, question};

#[tokio::test]
async fn the_component_is_told_the_smaller_of_both_deadlines() {
    let site = Site::new().await;
    let client = site.client().await;
    let left = async |timeout: Option<Duration>| {
        let mut request = question("left", 0);
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        let answer = client.call(ASK_BRIEFLY, request).await.unwrap().into_inner();
        Duration::from_millis(answer.count.into())
    };
    assert!(left(None).await <= DEADLINE);
    assert!(left(Some(Duration::from_secs(3600))).await <= DEADLINE);
    let shorter = DEADLINE / 2;
    assert!(left(Some(shorter)).await <= shorter);
}

#[tokio::test]
async fn a_call_that_does_not_end_is_over_at_its_deadline() {
    let site = Site::new().await;
    let client = site.client().await;
    let status = client.call(ASK_BRIEFLY, question("never", 0)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    // By hand, because tonic's client would give up by itself.
    let answer = Raw::connect(&site).await.call(&[("grpc-timeout", "20m")], "never").await;
    assert_eq!(answer.code, Some(Code::DeadlineExceeded));
    assert_eq!(site.reached(), 2);
    let answer = Raw::connect(&site).await.call(&[("grpc-timeout", "0n")], "echo").await;
    assert_eq!(answer.code, Some(Code::DeadlineExceeded));
}

#[tokio::test]
async fn a_message_that_does_not_come_is_not_waited_for_either() {
    let site = Site::new().await;
    let answer = Raw::connect(&site).await.call_without_end(&[("grpc-timeout", "20m")]).await;
    assert_eq!(answer.code, Some(Code::DeadlineExceeded));
    assert_eq!(site.reached(), 0);
}

#[tokio::test]
async fn a_malformed_timeout_is_refused() {
    let site = Site::new().await;
    for value in ["1", "1s", "-1S", "123456789m"] {
        let answer = Raw::connect(&site).await.call(&[("grpc-timeout", value)], "echo").await;
        assert_eq!(answer.code, Some(Code::InvalidArgument), "{value}");
    }
    assert_eq!(site.reached(), 0);
}
