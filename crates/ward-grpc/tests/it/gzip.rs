//! Compression: taken where the client compresses, used where it understands it and it pays.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use tonic::Code;
use ward_grpc::Limits;

use crate::raw::{Raw, frame, request};
use crate::site::{Question, Site};

const ACCEPTS: (&str, &str) = ("grpc-accept-encoding", "identity,deflate,gzip");

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn message(what: &str, count: u32, padding: usize) -> Vec<u8> {
    let padding = "x".repeat(padding);
    Question { what: what.to_owned(), count, padding, ..Question::default() }.encode_to_vec()
}

#[tokio::test]
async fn a_client_that_compresses_both_ways() {
    let site = Site::new().await;
    let client = site.client().await.gzip();
    for count in [1, 100_000] {
        assert_eq!(client.ask("long", count).await.unwrap().text.len(), count as usize);
    }
}

#[tokio::test]
async fn only_long_answers_are_compressed_and_only_for_those_who_understand() {
    let site = Site::new().await;
    let mut raw = Raw::connect(&site).await;
    let mut flag = async |metadata: &[(&str, &str)], count: u32| {
        let body = frame(0, &message("long", count, 0));
        let answer = raw.send(request(metadata), body).await;
        assert_eq!(answer.code, Some(Code::Ok));
        (answer.body[0], answer.body.len() < count as usize)
    };
    assert_eq!(flag(&[ACCEPTS], 100).await, (0, false));
    assert_eq!(flag(&[ACCEPTS], 10_000).await, (1, true));
    assert_eq!(flag(&[], 10_000).await, (0, false));
    assert_eq!(flag(&[("grpc-accept-encoding", "zstd")], 10_000).await, (0, false));
}

#[tokio::test]
async fn what_is_said_to_be_compressed_and_is_not() {
    let site = Site::new().await;
    let mut raw = Raw::connect(&site).await;
    let plain = message("echo", 0, 10);
    let said = [("grpc-encoding", "gzip")];
    let cases = [
        (&said[..], frame(1, &plain), Code::Internal),
        (&said[..], frame(1, &gzip(&plain)[..20]), Code::Internal),
        (&[], frame(1, &gzip(&plain)), Code::Internal),
        (&[("grpc-encoding", "zstd")], frame(1, &plain), Code::Unimplemented),
    ];
    for (metadata, body, code) in cases {
        assert_eq!(raw.send(request(metadata), body).await.code, Some(code), "{metadata:?}");
    }
    assert_eq!(site.reached(), 0);
    let answer = raw.send(request(&said), frame(1, &gzip(&plain))).await;
    assert_eq!(answer.code, Some(Code::Ok));
    // A message may be sent as it is all the same.
    assert_eq!(raw.send(request(&said), frame(0, &plain)).await.code, Some(Code::Ok));
}

#[tokio::test]
async fn a_bomb_is_defused_at_the_limit() {
    let limits = Limits { message_bytes_max: 10_000, ..Limits::default() };
    let site = Site::with(limits.clone()).await;
    let mut raw = Raw::connect(&site).await;
    let said = [("grpc-encoding", "gzip")];
    let room = limits.message_bytes_max - message("echo", 0, 1000).len() + 1000;
    for (padding, code) in [(room, Code::Ok), (room + 1, Code::ResourceExhausted)] {
        let message = message("echo", 0, padding);
        let answer = raw.send(request(&said), frame(1, &gzip(&message))).await;
        assert_eq!(answer.code, Some(code), "{} bytes", message.len());
    }
}
