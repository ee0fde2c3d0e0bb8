//! Attacks on plain sockets: HTTP/1.1 written by hand, because no client library does this.

use std::io::{Error, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use tokio::io::{AsyncReadExt, AsyncWriteExt, sink};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Scene;

/// How long a connection may take: a full backlog drops the first packet, and its repetition comes
/// after one second.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Connections opened at a time: below the usual backlog of a listener, so that the attack is what
/// it holds and not how fast it came.
const AT_A_TIME: usize = 64;

/// What a flood sends in one piece.
const FLOOD_BYTES: usize = 64 * 1024;

/// A connection from an address of ours.
pub(super) async fn connect(to: &str, from: Ipv4Addr) -> Result<TcpStream> {
    let to: SocketAddr = to.parse().map_err(Error::other)?;
    let socket = TcpSocket::new_v4()?;
    // The port is found when the other end is known, too: for an address alone that takes long,
    // for everybody, once thousands of connections have just gone from it.
    setsockopt(&socket, IpBindAddressNoPort, &true)?;
    socket.bind((from, 0).into())?;
    timeout(CONNECT_MAX, socket.connect(to)).await?
}

/// Connections that have sent `greeting`; those that could not be made are left out.
async fn many(scene: &Scene, to: &str, count: usize, greeting: &[u8]) -> Vec<TcpStream> {
    let mut streams = Vec::with_capacity(count);
    let mut tries = JoinSet::new();
    for _ in 0..count {
        let (scene, to, greeting) = (scene.clone(), to.to_owned(), greeting.to_vec());
        tries.spawn(async move {
            let mut stream = connect(&to, scene.source).await?;
            stream.write_all(&greeting).await?;
            scene.did();
            Result::Ok(stream)
        });
        if tries.len() >= AT_A_TIME
            && let Some(Ok(Ok(stream))) = tries.join_next().await
        {
            streams.push(stream);
        }
    }
    while let Some(made) = tries.join_next().await {
        if let Ok(Ok(stream)) = made {
            streams.push(stream);
        }
    }
    streams
}

/// The head of a login with further header lines, each ended by CR LF.
pub(super) fn login_head(more: &str) -> Vec<u8> {
    let head = "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    format!("{head}{more}\r\n").into_bytes()
}

/// Holds connections that have sent `greeting`, opens those anew that were closed, and sends `drop`
/// on each every five seconds.
pub(super) async fn hold(scene: Scene, to: String, count: usize, greeting: Vec<u8>, drop: &[u8]) {
    loop {
        let mut held = many(&scene, &to, count, &greeting).await;
        sleep(Duration::from_secs(5)).await;
        for stream in &mut held {
            // One that was closed by the server is made anew with the others.
            let _ = stream.write_all(drop).await;
        }
        if drop.is_empty() {
            // Held to the end, however many of them the server has let go.
            sleep(Duration::from_secs(60)).await;
        }
    }
}

/// Sends whole requests on connections that are closed at once, again and again.
pub(super) async fn leave(scene: Scene, at_a_time: usize, request: Vec<u8>) {
    loop {
        let left = many(&scene, &scene.gateway, at_a_time, &request).await;
        sleep(Duration::from_millis(20)).await;
        drop(left);
    }
}

/// Connections by which, after a beginning, the same comes as fast as it is taken.
pub(super) async fn flood(scene: Scene, connections: usize, (begin, more): (&[u8], &[u8])) {
    let more = more.repeat(FLOOD_BYTES / more.len());
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let (scene, begin, more) = (scene.clone(), begin.to_vec(), more.clone());
        running.spawn(async move {
            loop {
                // One that was closed is made anew.
                let _ = flood_one(&scene, &begin, &more).await;
                sleep(Duration::from_millis(20)).await;
            }
        });
    }
    running.join_all().await;
}

async fn flood_one(scene: &Scene, begin: &[u8], more: &[u8]) -> Result<()> {
    let (mut read, mut write) = connect(&scene.gateway, scene.source).await?.into_split();
    let reading = tokio::spawn(async move { tokio::io::copy(&mut read, &mut sink()).await });
    let mut sent = write.write_all(begin).await;
    while sent.is_ok() {
        sent = write.write_all(more).await;
        scene.did();
    }
    reading.abort();
    sent
}

/// `clients` that send a whole request, read what comes until the connection ends, and start again,
/// `times` each.
pub(super) async fn repeat(scene: Scene, clients: usize, times: usize, request: Vec<u8>) {
    let mut running = JoinSet::new();
    for _ in 0..clients {
        let (scene, request) = (scene.clone(), request.clone());
        running.spawn(async move {
            for _ in 0..times {
                // A refusal is as good an answer as any: what others see is what counts.
                if once(&scene, &request).await.is_ok() {
                    scene.did();
                }
            }
        });
    }
    running.join_all().await;
}

async fn once(scene: &Scene, request: &[u8]) -> Result<()> {
    let (mut read, mut write) = connect(&scene.gateway, scene.source).await?.into_split();
    let sending = async {
        write.write_all(request).await?;
        Result::Ok(write)
    };
    let mut answer = Vec::new();
    // Read beside writing: who is refused early has not sent everything, and has had an answer.
    let (sent, _) = tokio::join!(sending, timeout(CONNECT_MAX, read.read_to_end(&mut answer)));
    if answer.is_empty() { sent.map(drop) } else { Ok(()) }
}
