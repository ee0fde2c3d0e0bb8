//! The broker's tables as ward leaves them: no check of each header, and still no header without
//! its record.

use ward_embedded::{EphemeralBroker, Postgres, drop_header_check};

use crate::{connect, value};

#[tokio::test]
async fn a_record_that_goes_takes_its_headers_along() {
    let server = Postgres::ephemeral().await.unwrap();
    let storage = server.create_database().await.unwrap();
    let empty = connect(&storage).await.unwrap();
    assert!(!drop_header_check(&empty).await.unwrap(), "there are no tables yet");
    let broker = EphemeralBroker::start(&storage).await.unwrap();
    if !broker.is_nisshi() {
        return;
    }
    let client = connect(&storage).await.unwrap();
    let keys = "SELECT count(*) FROM pg_constraint
                WHERE conrelid = 'header'::regclass AND contype = 'f'";
    assert_eq!(value::<i64>(&client, keys).await, 0, "the check is gone");
    let rows = "
        WITH made AS (INSERT INTO cluster (name) VALUES ('here') RETURNING id),
            topic AS (INSERT INTO topic (cluster, name, partitions, replication_factor)
                      SELECT id, 'patient', 1, 1 FROM made RETURNING id)
        INSERT INTO topition (topic, partition) SELECT id, 0 FROM topic;
        INSERT INTO record (topition, offset_id)
        SELECT id, n FROM topition, generate_series(1, 3) n;
        INSERT INTO header (topition, offset_id, ordinal)
        SELECT id, n, o FROM topition, generate_series(1, 3) n, generate_series(0, 6) o";
    client.batch_execute(rows).await.unwrap();
    client.batch_execute("DELETE FROM record WHERE offset_id = 2").await.unwrap();
    assert_eq!(value::<i64>(&client, "SELECT count(*) FROM header").await, 14);
    // A topic that is removed takes its records along, and they their headers.
    client.batch_execute("DELETE FROM topition").await.unwrap();
    assert_eq!(value::<i64>(&client, "SELECT count(*) FROM header").await, 0);
    assert!(drop_header_check(&client).await.unwrap(), "once more is no harm");
}
