//! Components that trap, loop for ever or eat memory: they cost their own requests an error, and
//! nobody else anything.

use futures::future::join_all;
use std::fmt::Write as _;
use std::sync::OnceLock;
use tempfile::TempDir;
use ward_tests::{Api, Options, Ward, wasm};

/// Guests by route; each has a deadline of two seconds and 64 MiB.
const GUESTS: [(&str, &str); 4] = [
    ("hello", "guest_hello"),
    ("trap", "guest_trap"),
    ("loop", "guest_loop"),
    ("hog", "guest_hog"),
];

#[tokio::test]
async fn a_trap_is_500_with_a_problem() {
    let answer = api().get("/trap").await;
    answer.problem(500);
    for inside in ["wasm", "unreachable", "panicked", "backtrace", ".rs"] {
        assert!(!answer.body.contains(inside), "the host's affairs: {answer:?}");
    }
}

#[tokio::test]
async fn an_endless_loop_is_504_with_a_problem() {
    api().get("/loop").await.problem(504);
}

#[tokio::test]
async fn endless_allocation_is_500_with_a_problem() {
    api().get("/hog").await.problem(500);
}

#[tokio::test]
async fn a_component_recovers_after_each_failure() {
    let api = api();
    for _ in 0..20 {
        api.get("/trap").await.problem(500);
    }
    for _ in 0..3 {
        api.get("/hog").await.problem(500);
    }
    assert_eq!(api.get("/hello").await.status, 200);
}

#[tokio::test]
async fn neighbours_do_not_notice() {
    let api = api();
    let bad = async {
        for path in ["/trap", "/loop", "/hog", "/trap", "/loop", "/hog"] {
            let answer = api.get(path).await;
            assert!(matches!(answer.status, 500 | 504), "{path}: {answer:?}");
        }
    };
    let good = async {
        for _ in 0..300 {
            let answer = api.get("/hello").await;
            assert_eq!((answer.status, answer.body.as_str()), (200, "hello\n"), "{answer:?}");
        }
    };
    tokio::join!(bad, good);
}

#[tokio::test]
async fn many_endless_loops_leave_room_for_others() {
    let api = api();
    let loops = join_all((0..40).map(|_| api.get("/loop")));
    let others = async {
        for _ in 0..50 {
            assert_eq!(api.get("/hello").await.status, 200);
        }
    };
    let (loops, ()) = tokio::join!(loops, others);
    assert!(loops.iter().all(|answer| matches!(answer.status, 503 | 504)), "{loops:?}");
}

fn api() -> Api {
    ward().api()
}

/// A ward over the misbehaving guests, kept until the tests end. Its manifest lives as long.
fn ward() -> &'static Ward {
    static WARD: OnceLock<(TempDir, Ward)> = OnceLock::new();
    let (_, ward) = WARD.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("spin.toml");
        std::fs::write(&file, manifest()).expect("a manifest is written");
        let ward = Ward::start(Options::manifest(&file));
        (directory, ward)
    });
    ward
}

fn manifest() -> String {
    let mut text = String::from(
        "spin_manifest_version = 2\n[application]\nname = \"misbehaving\"\nversion = \"0.1.0\"\n",
    );
    for (route, guest) in GUESTS {
        let source = wasm(guest);
        let source = source.display();
        write!(
            text,
            "[[trigger.http]]\nroute = \"/{route}\"\ncomponent = \"{route}\"\n\
             [component.{route}]\nsource = \"{source}\"\n\
             [component.{route}.tool.ward]\ndeadline = \"2s\"\nmemory_limit = \"64MiB\"\n"
        )
        .expect("text grows");
    }
    text
}
