//! The memory of guests: what they may have together, and a machine that has little address space.

use futures::future::join_all;
use std::time::{Duration, Instant};
use ward_tests::{Answer, Options, Ward, wasm};

const MIB: u64 = 1 << 20;

/// A guest that takes memory, and a neighbour, in a manifest with these settings.
fn manifest(settings: &str) -> String {
    let (big, small) = (wasm("guest_misbehave"), wasm("guest_hello"));
    format!(
        "spin_manifest_version = 2\napplication.name = \"memory\"\n\
         [application.tool.ward]\n{settings}\n\
         [[trigger.http]]\nroute = \"/...\"\ncomponent = \"big\"\n\
         [[trigger.http]]\nroute = \"/hello\"\ncomponent = \"small\"\n\
         [component.big]\nsource = {big:?}\n\
         [component.small]\nsource = {small:?}\n"
    )
}

#[tokio::test]
async fn without_memory_for_an_instance_it_is_503_until_some_is_given_back() {
    let home = Ward::new_home();
    let file = home.path().join("spin.toml");
    std::fs::write(&file, manifest("guest_memory = \"24MiB\"")).expect("a manifest");
    let ward = Ward::start(Options::manifest(&file));
    let api = ward.api();
    let path = format!("/hold?bytes={}&ms=5000", 100 * MIB);
    let hold = api.get(&path);
    let others = async {
        let refused = until(503, &ward).await;
        assert_eq!(refused.problem(503)["type"], "urn:ward:problem:overloaded");
        assert!(refused.header("retry-after").parse::<u32>().is_ok(), "{refused:?}");
        until(200, &ward).await;
    };
    let (held, ()) = tokio::join!(hold, others);
    assert_eq!(held.status, 200, "{held:?}");
    let log = ward.log();
    assert_eq!(log.matches("guest_memory").count(), 1, "{log}");
}

/// Asks the neighbour until it answers so.
async fn until(status: u16, ward: &Ward) -> Answer {
    let start = Instant::now();
    loop {
        let answer = ward.api().get("/hello").await;
        if answer.status == status {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "still {answer:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_ward_with_little_address_space_serves_and_says_so_once() {
    let home = Ward::new_home();
    let file = home.path().join("spin.toml");
    std::fs::write(&file, manifest("")).expect("a manifest");
    let options = Options { address_space_kib: Some(8_000_000), ..Options::manifest(&file) };
    let ward = Ward::start(options);
    let api = ward.api();
    let answers = join_all((0..200).map(|_| api.get("/hello"))).await;
    for answer in answers {
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello\n"));
    }
    // A memory that has to move when it grows.
    let bytes = 100 * MIB;
    assert_eq!(api.get(&format!("/hold?bytes={bytes}")).await.body, format!("{bytes}\n"));
    api.get("/alloc").await.problem(500);
    assert_eq!(api.get("/well").await.body, "well\n");
    let log = ward.log();
    assert_eq!(log.matches("address space").count(), 1, "{log}");
}
