//! The one thing that ward changes in the broker's tables. Each header of a record is a row, and
//! each such row is checked against its record by a foreign key: a look-up and a lock for every
//! header, half of all that a record costs. The broker writes both in one transaction, so
//! the check can never fail. It goes; that a record takes its headers along when it is removed, for
//! which the key is there as well, is kept by a trigger. Nothing else of the broker's is touched.

use tokio_postgres::Client;

use crate::error::EmbeddedError;

/// Whether the broker has made its tables, and whether the check is still there.
const LOOK: &str = "SELECT to_regclass('header') IS NOT NULL AND to_regclass('record') IS NOT NULL,
    EXISTS (SELECT FROM pg_constraint
            WHERE conrelid = to_regclass('header') AND conname = 'header_topition_offset_id_fkey')";

/// One transaction, as everything that is sent in one piece. Locked in the order in which the
/// broker writes, so that the two wait for each other and never in a circle; and not for long,
/// since whoever comes meanwhile waits behind it.
const CHANGE: &str = "SET LOCAL lock_timeout = '2s';
    LOCK TABLE record, header IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE header DROP CONSTRAINT IF EXISTS header_topition_offset_id_fkey;
    CREATE OR REPLACE FUNCTION headers_go_along() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM header USING gone
        WHERE header.topition = gone.topition AND header.offset_id = gone.offset_id;
        RETURN NULL;
    END
    $$;
    CREATE OR REPLACE TRIGGER headers_go_along AFTER DELETE ON record
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION headers_go_along();";

/// Takes the check out, as the owner of the broker's tables, on a connection to its database.
/// `false` where the broker has not made them yet. Safe to call again, and while it runs.
pub async fn drop_header_check(client: &Client) -> Result<bool, EmbeddedError> {
    let row = client.query_one(LOOK, &[]).await?;
    let (made, checked): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
    if made && checked {
        client.batch_execute(CHANGE).await?;
    }
    Ok(made)
}
