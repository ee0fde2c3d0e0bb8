//! Releases side by side: what was not replaced is shared, warm instances included; what has begun
//! in a release stays in it, links included; and a release goes when nobody has it.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use ward_runtime::{CallContext, Release};

use super::host::{guest, url};
use super::links::host;

/// The same guest as other bytes: with a custom section behind it.
fn other_build(name: &str) -> Vec<u8> {
    let mut wasm = std::fs::read(guest(name)).unwrap();
    wasm.extend([0, 2, 1, b'x']);
    wasm
}

/// How often the callee's instance was called before, over the caller's link.
async fn count(release: &Arc<Release>) -> String {
    let handler = release.http("main").unwrap();
    let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
    let request = http::Request::get(url("/perform/plain?count")).body(body).unwrap();
    let response = handler.handle(request, CallContext::default()).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_the_callee_of_the_release_that_the_request_began_in() {
    let host = host();
    let old = host.release.clone();
    let first = count(&old).await;
    let second = count(&old).await;
    assert_ne!(first, second, "one warm instance is called twice");
    let new = host.replace(&old, ("callee", &other_build("callee"))).unwrap();
    assert_eq!(new.differs(&old).collect::<Vec<_>>(), ["callee"]);
    // The caller's instances are the very same, and serve both.
    assert_eq!(count(&new).await, first);
    let third = count(&old).await;
    assert!(third != first && third != second, "{third}");
    assert_eq!(count(&new).await, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_replaced_stays_warm() {
    let host = host();
    let old = host.release.clone();
    let (first, second) = (count(&old).await, count(&old).await);
    let new = host.replace(&old, ("caller", &other_build("caller"))).unwrap();
    assert_eq!(new.differs(&old).collect::<Vec<_>>(), ["caller"]);
    let third = count(&new).await;
    assert!(third != first && third != second, "{third}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_finds_what_served_before() {
    let host = host();
    let old = host.release.clone();
    let first = count(&old).await;
    let new = host.replace(&old, ("callee", &other_build("callee"))).unwrap();
    let wasm = std::fs::read(guest("callee")).unwrap();
    let source = guest("callee");
    let back = tokio::task::block_in_place(|| {
        host.host.replace(&new, (&source, &wasm), std::slice::from_ref(&old))
    });
    let back = Arc::new(back.unwrap());
    assert_eq!(back.differs(&old).count(), 0);
    assert_ne!(count(&back).await, first, "its warm instance is there still");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_no_release() {
    let host = host();
    let refused = |name: &str, with: &str| {
        let wasm = std::fs::read(guest(with)).unwrap();
        host.replace(&host.release, (name, &wasm)).unwrap_err().to_string()
    };
    let text = refused("callee", "hello");
    assert!(text.contains("caller") && text.contains("does not export it"), "{text}");
    let text = refused("caller", "hello");
    assert!(text.contains("has no import that its dependency"), "{text}");
    let error = host.replace(&host.release, ("callee", b"no wasm")).unwrap_err();
    assert_eq!(error.component, "callee");
    count(&host.release).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_with_its_last_user_though_its_instances_were_warm() {
    let host = host();
    let first = host.replace(&host.release, ("callee", &other_build("callee"))).unwrap();
    count(&first).await;
    let (handler, gone) = (first.http("main").unwrap(), Arc::downgrade(&first));
    drop(first);
    assert!(gone.upgrade().is_some(), "a request may begin with it yet");
    drop(handler);
    // What its instances have still to do is over in a moment.
    super::host::until(async || gone.upgrade().is_none(), |is_gone| *is_gone).await;
}
