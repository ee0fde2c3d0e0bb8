//! What reading and writing protobuf by tables made from WIT costs, against prost, whose code is
//! generated for the message: decode and encode of one message, in turn, several times over. The
//! rival reads into structs of its own; ward-wire reads into values that fit any type.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use ward_wire::{Contract, Message, Naming};

const ROUNDS: usize = 15;

#[derive(Clone, PartialEq, prost::Message)]
struct BillingRequest {
    #[prost(string, tag = "1")]
    patient_id: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    email: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Money {
    #[prost(int64, tag = "1")]
    minor_units: i64,
    #[prost(string, tag = "2")]
    currency: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Account {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    patient_id: String,
    #[prost(int32, tag = "3")]
    status: i32,
    #[prost(message, optional, tag = "4")]
    balance: Option<Money>,
    #[prost(string, tag = "5")]
    created_at: String,
    #[prost(string, tag = "6")]
    updated_at: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AccountPage {
    #[prost(message, repeated, tag = "1")]
    accounts: Vec<Account>,
    #[prost(string, tag = "2")]
    next: String,
}

pub(crate) fn run() -> Result<()> {
    let request = BillingRequest {
        patient_id: "123e4567-e89b-12d3-a456-426614174000".to_owned(),
        name: "Ada Lovelace".to_owned(),
        email: "ada@example.org".to_owned(),
    };
    compare("billing-service", "billing-request", &request, 100_000)?;
    let account = Account {
        id: "0190b0a0-0000-7000-8000-000000000001".to_owned(),
        patient_id: "123e4567-e89b-12d3-a456-426614174000".to_owned(),
        status: 1,
        balance: Some(Money { minor_units: 1250, currency: "EUR".to_owned() }),
        created_at: "2026-01-01T12:00:00Z".to_owned(),
        updated_at: "2026-01-01T12:00:00Z".to_owned(),
    };
    let page = AccountPage { accounts: vec![account; 50], next: "next".to_owned() };
    compare("accounts", "account-page", &page, 2_000)
}

/// Reads and writes the message that `rival` is, `times` times in each round, by both.
fn compare<M: prost::Message + Default>(
    interface: &str,
    record: &str,
    rival: &M,
    times: u32,
) -> Result<()> {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let contract = Contract::from_directories(&["billing", "common"].map(|name| wit.join(name)))?;
    let interface = format!("pms:billing/{interface}");
    let message = Message::derive(&contract, &interface, record, &Naming::default())
        .ok()
        .context("the contract has no form in protobuf")?;
    let bytes = rival.encode_to_vec();
    let mut out = Vec::with_capacity(bytes.len());
    message.encode(&message.decode(&bytes)?, &mut out)?;
    anyhow::ensure!(out == bytes, "the two do not agree");

    let mut ours_us = Vec::new();
    let mut theirs_us = Vec::new();
    for _ in 0..ROUNDS {
        theirs_us.push(each_us(times, || {
            out.clear();
            let value = M::decode(black_box(&*bytes))?;
            Ok(black_box(value).encode(black_box(&mut out))?)
        })?);
        ours_us.push(each_us(times, || {
            out.clear();
            let value = message.decode(black_box(&bytes))?;
            Ok(black_box(&message).encode(&value, black_box(&mut out))?)
        })?);
    }
    let (ours, theirs) = (median(&mut ours_us), median(&mut theirs_us));
    println!(
        "{record}, {} bytes, decode + encode: ward-wire {ours:.3} us, prost {theirs:.3} us, \
         ratio {:.2}, difference {:.3} us, medians of {ROUNDS}",
        bytes.len(),
        ours / theirs,
        ours - theirs
    );
    Ok(())
}

fn each_us(times: u32, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..times {
        work()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(times))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
