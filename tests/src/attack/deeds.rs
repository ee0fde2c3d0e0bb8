//! The attacks: what each does, how much of it, and what is asked of ward beside it.

use std::future::Future;
use std::pin::Pin;

use futures::future::join_all;

use super::honest::client;
use super::{Scene, http2, sockets};

/// An attack.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in a few words.
    pub what: &'static str,
    pub(super) deed: Deed,
    /// Whether it comes from the address where honest clients are.
    pub(super) from_home: bool,
    pub(super) wanted: Wanted,
}

/// What is asked of ward beyond right answers and bounded memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    /// p99 at most twice what it was, three times on gRPC.
    Twice,
    /// p99 at most one and a half times what it was.
    OneAndHalf,
    /// So much more processor time, in seconds.
    CpuMax(f64),
    /// No more of a token in the log than a few characters; times as for [`Wanted::Twice`].
    NoToken,
    /// At most so many KiB more in the log; times as for [`Wanted::Twice`].
    LogMax(usize),
}

/// What an attacker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    SilentBodies,
    SilentStreams,
    Trickle,
    Expect,
    Resets,
    Leave,
    IdleHttp,
    IdleGrpc,
    Nested,
    Chunks,
    Passwords,
    Lists,
    Streams,
    SilentCalls,
    Watches,
    LongMethod,
    Frames,
    Refused,
}

const fn attack(name: &'static str, what: &'static str, deed: Deed, wanted: Wanted) -> Attack {
    Attack { name, what, deed, from_home: false, wanted }
}

const fn at_home(mut attack: Attack, name: &'static str) -> Attack {
    attack.name = name;
    attack.from_home = true;
    attack
}

const SILENT: Attack =
    attack("bodies", "1,024 logins without bodies", Deed::SilentBodies, Wanted::Twice);
const IDLE: Attack = attack("idle", "4,100 idle connections", Deed::IdleHttp, Wanted::Twice);

/// Every attack there is.
pub const ATTACKS: [Attack; 20] = [
    SILENT,
    at_home(SILENT, "bodies-home"),
    attack("bodies-h2", "the same on 11 HTTP/2 connections", Deed::SilentStreams, Wanted::Twice),
    attack("trickle", "the same, a byte every 5 s", Deed::Trickle, Wanted::Twice),
    attack("expect", "the same, Expect: 100-continue", Deed::Expect, Wanted::Twice),
    attack("resets", "100 logins opened and reset", Deed::Resets, Wanted::Twice),
    attack("leave", "100 logins, sockets closed", Deed::Leave, Wanted::Twice),
    IDLE,
    at_home(IDLE, "idle-home"),
    attack("idle-grpc", "4,100 greeted on gRPC", Deed::IdleGrpc, Wanted::Twice),
    attack("nested", "200 logins of 1 MiB, nested", Deed::Nested, Wanted::Twice),
    attack("chunks", "6 logins, chunks of a byte", Deed::Chunks, Wanted::CpuMax(0.6)),
    attack("passwords", "30 clients, wrong passwords", Deed::Passwords, Wanted::OneAndHalf),
    attack("lists", "200 clients of one user, lists", Deed::Lists, Wanted::Twice),
    attack("streams", "256 streams of one user", Deed::Streams, Wanted::Twice),
    attack("calls", "1,100 calls without messages", Deed::SilentCalls, Wanted::Twice),
    attack("watches", "256 Watch and reflection streams", Deed::Watches, Wanted::Twice),
    attack("method", "100 methods of 60 KB", Deed::LongMethod, Wanted::NoToken),
    attack("frames", "4 connections of window updates", Deed::Frames, Wanted::Twice),
    attack("refused", "4 connections of unknown paths", Deed::Refused, Wanted::LogMax(1024)),
];

/// An attack under way; it ends when it is dropped, if not before.
type Happening = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The largest document components read.
const DOCUMENT_BYTES: usize = 1024 * 1024;

impl Deed {
    /// How many clients or connections it has at a time, and what each of them does at least: the
    /// product is what has to have happened.
    pub(super) fn size(self, scene: &Scene) -> [usize; 2] {
        let n = |full| scene.count(full);
        match self {
            Deed::SilentBodies | Deed::Trickle | Deed::Expect => [n(1024), 1],
            Deed::SilentStreams | Deed::SilentCalls => [n(11), 100],
            Deed::IdleHttp | Deed::IdleGrpc => [n(4100), 1],
            Deed::Resets => [1, n(100)],
            Deed::Leave => [n(100), 1],
            Deed::Nested => [n(40), 5],
            Deed::Chunks => [n(6), 1],
            Deed::Passwords => [n(30), 1],
            Deed::Watches => [n(4), 64],
            Deed::LongMethod => [n(10), 10],
            Deed::Lists => [n(200), 1],
            Deed::Streams => [n(256), 1],
            Deed::Frames | Deed::Refused => [n(4), 2],
        }
    }

    pub(super) fn happen(self, scene: Scene) -> Happening {
        let (http, grpc) = (scene.gateway.clone(), scene.grpc.clone());
        let size @ [clients, each] = self.size(&scene);
        let hold = |to, greeting, more: &'static [u8]| -> Happening {
            Box::pin(sockets::hold(scene.clone(), to, clients, greeting, more))
        };
        let repeat = |times, request| -> Happening {
            Box::pin(sockets::repeat(scene.clone(), clients, times, request))
        };
        let length = "Content-Length: 100\r\n";
        match self {
            Deed::SilentBodies => hold(http, head(length), b""),
            Deed::Trickle => hold(http, head(length), b" "),
            Deed::Expect => hold(http, head(&format!("{length}Expect: 100-continue\r\n")), b""),
            Deed::IdleHttp => hold(http, Vec::new(), b""),
            Deed::IdleGrpc => hold(grpc, http2::GREETING.to_vec(), b""),
            Deed::SilentStreams => Box::pin(http2::silent_logins(scene, size)),
            Deed::SilentCalls => Box::pin(http2::silent_calls(scene, size)),
            Deed::Watches => Box::pin(http2::watches(scene, size)),
            Deed::Resets => Box::pin(http2::resets(scene, each)),
            Deed::Leave => Box::pin(sockets::leave(scene, clients, wrong_password())),
            Deed::Nested => repeat(each, nested()),
            Deed::Chunks => repeat(each, chunks()),
            Deed::Passwords => repeat(usize::MAX, wrong_password()),
            Deed::Lists => repeat(usize::MAX, lists(&scene.token)),
            Deed::LongMethod => repeat(each, long_method()),
            Deed::Streams => Box::pin(streams(scene, clients)),
            Deed::Frames => Box::pin(sockets::flood(scene, clients, WINDOW_UPDATES)),
            Deed::Refused => Box::pin(sockets::flood(scene, clients, REFUSED)),
        }
    }
}

fn head(more: &str) -> Vec<u8> {
    sockets::login_head(more)
}

fn with_length(body: &[u8]) -> Vec<u8> {
    let mut request = head(&format!("Connection: close\r\nContent-Length: {}\r\n", body.len()));
    request.extend_from_slice(body);
    request
}

fn wrong_password() -> Vec<u8> {
    with_length(br#"{"email":"nobody@example.test","password":"not it, but long"}"#)
}

/// A document of 1 MiB that is nothing but objects in objects.
fn nested() -> Vec<u8> {
    with_length(r#"{"":"#.repeat(DOCUMENT_BYTES / 4).as_bytes())
}

/// A document of 1 MiB, each byte in a chunk of its own.
fn chunks() -> Vec<u8> {
    let mut request = head("Connection: close\r\nTransfer-Encoding: chunked\r\n");
    request.extend(b"1\r\n \r\n".repeat(DOCUMENT_BYTES));
    request.extend(b"0\r\n\r\n");
    request
}

/// What a long method is made of: a log that holds more of it than [`TOKEN_CHARS_MAX`] is at fault.
pub(super) const METHOD_LETTER: &str = "Q";
/// As many characters of a token as a log may hold.
pub(super) const TOKEN_CHARS_MAX: usize = 16;

fn long_method() -> Vec<u8> {
    let method = METHOD_LETTER.repeat(60_000);
    format!("{method} /auth/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .into_bytes()
}

/// The beginning of an HTTP/2 connection, and then nothing but leave to send one byte more.
const WINDOW_UPDATES: (&[u8], &[u8]) =
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01");

/// Requests for nothing that is there, without waiting for the answers.
const REFUSED: (&[u8], &[u8]) = (b"", b"GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n");

/// The longest page there is.
fn lists(token: &str) -> Vec<u8> {
    let path = "/api/patients?limit=500&sort=-name";
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
    format!("{head}Connection: close\r\n\r\n").into_bytes()
}

/// Streams of one user, opened and read to the end; one that ends is not opened again.
async fn streams(scene: Scene, count: usize) {
    let client = client(scene.source);
    let url = format!("http://{}/api/analytics/stream", scene.gateway);
    let one = || async {
        scene.did();
        let sent = client.get(&url).bearer_auth(&scene.token).send().await;
        // The text of a stream comes when it ends.
        if let Ok(answer) = sent {
            let _ = answer.bytes().await;
        }
    };
    join_all((0..count).map(|_| one())).await;
}
