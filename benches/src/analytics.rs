//! Batches of events into the analytics service's event store and projections: the component's own
//! statement from an ordinary client, one batch after the other, as its consumer sends them.
//!
//! The server is a throwaway one that syncs nothing; `WARD_DATABASE_URL` names another (an empty
//! database, which is filled).

use std::time::Instant;

use anyhow::Result;
use tokio_postgres::{Client, NoTls};
use ward_embedded::Postgres;

const BATCHES: u64 = 400;
const SIZES: [usize; 3] = [1, 50, 500];

pub(crate) async fn run() -> Result<()> {
    let server = Postgres::ephemeral().await?;
    let url = match std::env::var("WARD_DATABASE_URL") {
        Ok(url) => url,
        Err(_) => server.create_database().await?,
    };
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    let migration = include_str!("../../components/analytics/migrations/V1__analytics.sql");
    client.batch_execute(migration).await?;
    let mut patients = 0;
    for size in SIZES {
        let created = measure(&client, &mut patients, size, 1).await?;
        patients -= BATCHES * size as u64;
        let updated = measure(&client, &mut patients, size, 2).await?;
        println!(
            "batches of {size:>3}: {created:>6.0} events/s (new patients), \
             {updated:>6.0} events/s (updates)"
        );
    }
    Ok(())
}

/// Applies batches; events a second.
async fn measure(client: &Client, patient: &mut u64, size: usize, version: i64) -> Result<f64> {
    let statement = client.prepare(include_str!("../../components/analytics/src/store/apply.sql"));
    let statement = statement.await?;
    let kind = if version == 1 { "PATIENT_CREATED" } else { "PATIENT_UPDATED" };
    let mut seconds = 0.0;
    for _ in 0..BATCHES {
        let numbers: Vec<u64> = (*patient..).take(size).collect();
        *patient += size as u64;
        let texts = |of: &dyn Fn(u64) -> String| -> Vec<String> {
            numbers.iter().map(|number| of(*number)).collect()
        };
        let ids = texts(&|number| uuid(number * 4 + version.unsigned_abs()));
        let patients = texts(&|number| uuid(number * 4));
        let names = texts(&|number| format!("Bench {number}"));
        let emails = texts(&|number| format!("bench{number}@example.com"));
        let births = texts(&|number| {
            let (year, month) = (1940 + number % 80, 1 + number / 80 % 12);
            format!("{year}-{month:02}-{:02}", 1 + number / 960 % 28)
        });
        let (versions, kinds) = (vec![version; size], vec![kind; size]);
        let now = moment(client).await?;
        let (moments, days) = (vec![now.as_str(); size], vec!["2024-01-01"; size]);
        let start = Instant::now();
        let refused = client
            .query(
                &statement,
                &[&ids, &patients, &versions, &kinds, &moments, &names, &emails, &births, &days],
            )
            .await?;
        seconds += start.elapsed().as_secs_f64();
        anyhow::ensure!(refused.is_empty(), "events were refused");
    }
    Ok(BATCHES as f64 * size as f64 / seconds)
}

/// A UUID that looks random, as the services' do: where it falls in an index matters.
fn uuid(number: u64) -> String {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^= mixed >> 27;
    let bits = u128::from(mixed) << 64 | u128::from(number);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

async fn moment(client: &Client) -> Result<String> {
    Ok(client.query_one("SELECT now()::text", &[]).await?.get(0))
}
