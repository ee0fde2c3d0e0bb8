//! Any bytes, read as a message that has one of everything: they are refused, or what they are read
//! as can be written, and comes back the same.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ward_wire::{Contract, Message, Naming};

const EVERYTHING: &str = "package t:t@1.0.0;
interface i {
  enum e { a, b }
  flags f { x, y, z }
  record s { a: string, e: option<e>, l: list<s8> }
  variant v { n, t(string), s(s), l(list<u32>), p(tuple<char, f32>) }
  record r {
    a: bool, b: u8, c: s64, d: f64, e: list<u8>, f: f, g: s, h: option<s>, i: list<s>,
    j: option<v>, k: list<v>, l: list<list<u16>>, m: list<f64>, n: list<e>, o: option<f>,
    p: list<result<u32, s>>, q: list<tuple<string, string>>,
  }
}";

static MESSAGE: LazyLock<Message> = LazyLock::new(|| {
    let contract = Contract::from_sources(&[("everything.wit", EVERYTHING)]).expect("it is WIT");
    Message::derive(&contract, "t:t/i", "r", &Naming::default()).expect("it has a form")
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = MESSAGE.decode(bytes) else { return };
    let mut out = Vec::new();
    MESSAGE.encode(&value, &mut out).expect("what was read can be written");
    let again = MESSAGE.decode(&out).expect("what was written can be read");
    // In words, because NaN is not equal to itself.
    assert_eq!(format!("{again:?}"), format!("{value:?}"));
    MESSAGE.to_json(&value).expect("what was read has a form in JSON");
});
