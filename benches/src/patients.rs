//! `GET /api/patients/{id}` with a token among 100,000 patients, and where its time goes: each
//! line adds one part to the one before (host, guest, token check, database).

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio_postgres::NoTls;
use ward_embedded::{Ephemeral, Postgres};

use crate::wrk;
use crate::{start, tools};

const PATIENTS: i32 = 100_000;
const CONNECTIONS: u32 = 32;
const SECONDS: u32 = 10;
/// The first demo patient.
const KNOWN: &str = "123e4567-e89b-12d3-a456-426614174000";

pub(crate) async fn run() -> Result<()> {
    let postgres = Postgres::ephemeral().await?;
    let state = tempfile::tempdir()?;
    let port = tools::free_port()?;
    let ward = start::up_on(&postgres, state.path(), port).await?;
    let base = format!("http://127.0.0.1:{port}");
    fill(&postgres).await?;
    let token = login(&base).await?;
    let bearer = vec![format!("Authorization: Bearer {token}")];

    let health = format!("{base}/.well-known/spin/health");
    let steps: [(&str, String, &[String]); 4] = [
        ("host alone (health)", health, &[]),
        ("+ guard refuses (401)", format!("{base}/api/patients/{KNOWN}"), &[]),
        ("+ patients refuses (400)", format!("{base}/api/patients/x"), &bearer),
        ("GET one patient", format!("{base}/api/patients/{KNOWN}"), &bearer),
    ];
    for (label, url, headers) in &steps {
        let measured = wrk::run(url, CONNECTIONS, SECONDS, headers).await?;
        println!("{label:<26}{measured}");
    }
    let list = format!("{base}/api/patients?limit=50");
    println!("{:<26}{}", "GET a page of 50", wrk::run(&list, CONNECTIONS, SECONDS, &bearer).await?);
    println!("database alone, 1 connection: {:.0} us a statement", statement_us(&postgres).await?);
    println!("resident after load: {:.1} MiB", ward.resident_mib()?);
    ward.stop().await?;
    Ok(())
}

/// Rows straight into the table: the benchmark is about reading them.
async fn fill(postgres: &Ephemeral) -> Result<()> {
    let client = connect(postgres).await?;
    let rows = client
        .execute(
            "INSERT INTO patients (id, name, name_key, email, address, \
             date_of_birth, registered_date) \
             SELECT gen_random_uuid(), 'Bench ' || n, 'bench ' || n, \
             'bench' || n || '@example.com', \
             n || ' Bench Street', date '1950-01-01' + n % 20000, date '2024-01-01' + n % 365 \
             FROM generate_series(1, $1) AS n",
            &[&PATIENTS],
        )
        .await?;
    client.batch_execute("ANALYZE patients").await?;
    println!("{rows} patients added");
    Ok(())
}

async fn connect(postgres: &Ephemeral) -> Result<tokio_postgres::Client> {
    let mut config: tokio_postgres::Config = postgres.admin_url().parse()?;
    config.dbname("patients");
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) async fn login(base: &str) -> Result<String> {
    let body = json!({ "email": "testuser@test.com", "password": "password123" });
    let client = reqwest::Client::new();
    let response = client.post(format!("{base}/auth/login")).json(&body).send().await?;
    if !response.status().is_success() {
        bail!("the demo user cannot log in: {}", response.status());
    }
    let answer: Value = response.json().await?;
    let token = answer.get("token").and_then(Value::as_str);
    Ok(token.context("the login answered without a token")?.to_owned())
}

/// The floor under any read: one indexed row, one prepared statement, one connection.
async fn statement_us(postgres: &Ephemeral) -> Result<f64> {
    const TIMES: u32 = 5_000;
    let client = connect(postgres).await?;
    let statement = client.prepare("SELECT name FROM patients WHERE id = $1::text::uuid").await?;
    let start = std::time::Instant::now();
    for _ in 0..TIMES {
        client.query_one(&statement, &[&KNOWN]).await?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES))
}
