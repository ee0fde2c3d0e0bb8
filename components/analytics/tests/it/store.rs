//! A database with the service's tables, and events to put into it. The only place that knows the
//! statements' parameters.

use tokio::sync::OnceCell;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;
use ward_embedded::{Ephemeral, Postgres};

pub(crate) const CREATED: &str = "PATIENT_CREATED";
pub(crate) const UPDATED: &str = "PATIENT_UPDATED";
pub(crate) const DELETED: &str = "PATIENT_DELETED";
pub(crate) const ERASED: &str = "PATIENT_ERASED";

/// Whether an event of this kind says that its patient is gone.
pub(crate) fn is_last(kind: &str) -> bool {
    [DELETED, ERASED].contains(&kind)
}

/// An event as the component hands it to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: Uuid,
    pub(crate) patient: Uuid,
    pub(crate) version: i64,
    pub(crate) kind: &'static str,
    pub(crate) occurred_at: String,
    pub(crate) born: Option<String>,
    pub(crate) restricted: bool,
}

impl Event {
    /// A new event; its patient was born on the day given.
    pub(crate) fn new(patient: Uuid, version: i64, kind: &'static str, born: &str) -> Self {
        Self {
            id: Uuid::new_v4(),
            patient,
            version,
            kind,
            occurred_at: format!("2024-02-29T10:{:02}:00Z", version.rem_euclid(60)),
            born: (!is_last(kind)).then(|| born.to_owned()),
            restricted: false,
        }
    }

    /// What the event says of the patient: nothing once they are deleted.
    fn text(&self, text: &str) -> Option<String> {
        (!is_last(self.kind)).then(|| format!("{text} {}", self.id))
    }
}

/// A connection to a database with the service's tables.
pub(crate) struct Store {
    pub(crate) client: Client,
    url: String,
}

impl Store {
    /// A database of its own.
    pub(crate) async fn new() -> Self {
        // Never dropped; its guardian stops it when this process ends, however it ends.
        static SERVER: OnceCell<Ephemeral> = OnceCell::const_new();
        let server = SERVER.get_or_try_init(Postgres::ephemeral).await.unwrap();
        let store = Self::at(&server.create_database().await.unwrap()).await;
        for migration in [
            include_str!("../../migrations/V1__analytics.sql"),
            include_str!("../../migrations/V2__page_key.sql"),
            include_str!("../../migrations/V3__audit_chain.sql"),
            include_str!("../../migrations/V4__restricted.sql"),
            include_str!("../../migrations/V5__audit_address.sql"),
            include_str!("../../migrations/V6__audit_refusals.sql"),
            include_str!("../../migrations/V7__audit_retention.sql"),
            include_str!("../../migrations/V8__erased.sql"),
        ] {
            store.client.batch_execute(migration).await.unwrap();
        }
        store
    }

    /// Another connection to the same database.
    pub(crate) async fn again(&self) -> Self {
        Self::at(&self.url).await
    }

    /// The database's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A connection to a database that has the tables.
    pub(crate) async fn at(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self { client, url: url.to_owned() }
    }

    /// Applies a batch in one statement; the ids that it refused.
    pub(crate) async fn apply(&self, events: &[Event]) -> Vec<String> {
        let texts = |of: &dyn Fn(&Event) -> Option<String>| -> Vec<Option<String>> {
            events.iter().map(of).collect()
        };
        let rows = self
            .client
            .query(
                include_str!("../../src/store/apply.sql"),
                &[
                    &texts(&|event| Some(event.id.to_string())),
                    &texts(&|event| Some(event.patient.to_string())),
                    &events.iter().map(|event| event.version).collect::<Vec<_>>(),
                    &texts(&|event| Some(event.kind.to_owned())),
                    &texts(&|event| Some(event.occurred_at.clone())),
                    &texts(&|event| event.text("Name")),
                    &texts(&|event| event.text("Email")),
                    &texts(&|event| event.born.clone()),
                    &texts(&|event| event.born.as_ref().map(|_| "2024-01-01".to_owned())),
                    &texts(&|event| Some(event.restricted.to_string())),
                ],
            )
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// One step of a rebuild; whether it switched.
    pub(crate) async fn rebuild_step(&self, most: i64) -> bool {
        let statement = include_str!("../../src/store/rebuild_step.sql");
        self.client.query_one(statement, &[&most]).await.unwrap().get(0)
    }

    /// Goes on with a rebuild, or makes one, until it has switched.
    pub(crate) async fn rebuild(&self, most: i64) {
        while !self.rebuild_step(most).await {}
    }

    pub(crate) async fn remove_old(&self, most: i64) -> i64 {
        let statement = include_str!("../../src/store/rebuild_removal.sql");
        self.client.query_one(statement, &[&most]).await.unwrap().get(0)
    }

    pub(crate) async fn rows(&self, query: &str, values: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        self.client.query(query, values).await.unwrap()
    }

    /// The one number that a query gives.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.client.query_one(query, &[]).await.unwrap().get(0)
    }

    /// Everything that is projected, as text.
    pub(crate) async fn projections(&self) -> String {
        let query = "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
            SELECT to_jsonb(p) - 'generation' || '{\"of\": \"patients\"}' FROM patients p, live
                WHERE p.generation = live.generation
            UNION ALL SELECT to_jsonb(b) - 'generation' FROM births b, live
                WHERE b.generation = live.generation
            UNION ALL SELECT to_jsonb(c) - 'generation' FROM counts c, live
                WHERE c.generation = live.generation
            UNION ALL SELECT to_jsonb(l) - 'generation' FROM latencies l, live
                WHERE l.generation = live.generation
        ) AS found (object), LATERAL (SELECT object::text) AS texts (line)";
        let query = format!("WITH live AS (SELECT generation FROM projection) {query}");
        let text: Option<String> = self.client.query_one(&query, &[]).await.unwrap().get(0);
        text.unwrap_or_default()
    }

    /// How many events of a patient keep what they carried, and how many do not.
    pub(crate) async fn kept_and_erased(&self, patient: Uuid) -> (i64, i64) {
        let query = "SELECT count(*) FILTER (WHERE name IS NOT NULL AND email IS NOT NULL
                AND date_of_birth IS NOT NULL AND registered_date IS NOT NULL),
            count(*) FILTER (WHERE name IS NULL AND email IS NULL
                AND date_of_birth IS NULL AND registered_date IS NULL)
            FROM events WHERE patient_id = $1";
        let row = self.client.query_one(query, &[&patient]).await.unwrap();
        (row.get(0), row.get(1))
    }

    /// What is projected of a patient: version, deleted, date of birth, events.
    pub(crate) async fn patient(&self, id: Uuid) -> Option<(i64, bool, Option<String>, i64)> {
        let query = "SELECT version, deleted, date_of_birth::text, events FROM patients
            WHERE generation = (SELECT generation FROM projection) AND id = $1";
        let row = self.client.query_opt(query, &[&id]).await.unwrap()?;
        Some((row.get(0), row.get(1), row.get(2), row.get(3)))
    }
}
