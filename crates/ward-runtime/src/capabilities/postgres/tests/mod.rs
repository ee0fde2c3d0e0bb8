//! The capability against a real PostgreSQL, through the same functions the linker calls. One
//! throwaway server for the process, one database for each test.

mod errors;
mod host;
mod pool;
mod tls;
mod values;

use std::sync::Arc;

use tokio::sync::OnceCell;
use ward_embedded::{Ephemeral, Postgres};
use ward_manifest::AllowedHosts;
use ward_postgres::Address;

use super::address::{Addresses, Grants};
use super::lease::Lease;
use super::pool::PostgresService;
use crate::capabilities::bindings::postgres::{DbValue, Error, ParameterValue};

async fn server() -> &'static Ephemeral {
    // Never dropped; its guardian stops it when this process ends, however it ends.
    static SERVER: OnceCell<Ephemeral> = OnceCell::const_new();
    SERVER.get_or_try_init(Postgres::ephemeral).await.unwrap()
}

async fn database() -> String {
    server().await.create_database().await.unwrap()
}

fn address(url: &str) -> Arc<Address> {
    Addresses::default().read(url, None).unwrap()
}

fn grants(entries: &[&str]) -> Arc<Grants> {
    let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
    let hosts = Arc::new(AllowedHosts::parse(&entries).unwrap());
    Arc::new(Grants::new("test".into(), hosts, std::iter::empty()))
}

/// A fresh service and one connection to a fresh database.
async fn connected() -> (Arc<PostgresService>, String, Arc<Lease>) {
    let (service, url) = (PostgresService::new(None, Arc::default()), database().await);
    let lease = Arc::new(service.open(&address(&url)).await.unwrap());
    (service, url, lease)
}

impl Lease {
    /// The one value of a statement's one row.
    async fn value(
        &self,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<DbValue, Error> {
        let rows = self.query(statement, parameters).await?.rows;
        let [row] = rows.try_into().unwrap();
        let [value] = row.try_into().unwrap();
        Ok(value)
    }

    async fn pid(&self) -> i32 {
        match self.value("SELECT pg_backend_pid()", &[]).await {
            Ok(DbValue::Int32(pid)) => pid,
            other => panic!("{other:?}"),
        }
    }
}
