//! The tables, and every statement on them.
//!
//! A change takes its store's row first and counts there, so that changes appear in the order of
//! their versions and none can be passed over. A pair that was removed stays as a row without a
//! value for a while, so that whoever comes later hears of it.

/// Hears of changes before anybody would ask.
pub(super) const LISTEN: &str = "LISTEN ward_key_value";

/// Whether there are tables. Making them again would wait for whoever is changing something, and a
/// reader must not.
pub(super) const ARE_MADE: &str = "SELECT to_regclass('pair_removed') IS NOT NULL";

/// Several wards may start at once, so one makes the tables and the others wait. Everything sent
/// together is one transaction. What is there is not touched.
pub(super) const SCHEMA: &str = "
SET client_min_messages = warning;
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('ward'), hashtext('key-value stores'));

-- A store, and how often it was changed.
CREATE TABLE IF NOT EXISTS store (
    name text PRIMARY KEY,
    version bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

-- What a key has as of a version; without a value it was removed.
CREATE TABLE IF NOT EXISTS pair (
    store text NOT NULL,
    key bytea NOT NULL,
    value bytea,
    version bigint NOT NULL,
    PRIMARY KEY (store, key)
);
CREATE INDEX IF NOT EXISTS pair_version ON pair (store, version);
CREATE INDEX IF NOT EXISTS pair_removed ON pair (store, version) WHERE value IS NULL;
COMMIT;
RESET client_min_messages;
";

/// Whether the store $1 is there, for the same reason.
pub(super) const IS_THERE: &str = "SELECT FROM store WHERE name = $1";

/// Makes the store $1, if it is not there.
pub(super) const MAKE: &str = "INSERT INTO store (name) VALUES ($1) ON CONFLICT DO NOTHING";

/// The version of the store $1, and beside it at most $2 of its pairs, the newest first; of values
/// longer than $3 only that they are there.
pub(super) const ALL: &str = "
SELECT s.version, p.version, p.key, true, p.value
FROM store AS s LEFT JOIN LATERAL (
    SELECT version, key, CASE WHEN octet_length(value) <= $3::int THEN value END AS value
    FROM pair WHERE store = s.name AND value IS NOT NULL ORDER BY version DESC LIMIT $2::bigint
) AS p ON true
WHERE s.name = $1";

/// The version of the store $1, and beside it what changed after the version $2, if that is not
/// more than $4 ago; of values longer than $3 only that they are there.
pub(super) const CHANGES: &str = "
SELECT s.version, p.version, p.key, p.present, p.value
FROM store AS s LEFT JOIN LATERAL (
    SELECT version, key, value IS NOT NULL AS present,
        CASE WHEN octet_length(value) <= $3::int THEN value END AS value
    FROM pair WHERE store = s.name AND version > $2::bigint AND s.version - $2 <= $4::bigint
) AS p ON true
WHERE s.name = $1";

/// The value of $2 in the store $1.
pub(super) const GET: &str =
    "SELECT value FROM pair WHERE store = $1 AND key = $2 AND value IS NOT NULL";

/// Whether the store $1 has a value for $2.
pub(super) const EXISTS: &str =
    "SELECT FROM pair WHERE store = $1 AND key = $2 AND value IS NOT NULL";

/// The keys of the store $1 after $2 (after nothing where that is none), in order, at most $3.
pub(super) const KEYS: &str = "
SELECT key FROM pair
WHERE store = $1 AND value IS NOT NULL AND ($2::bytea IS NULL OR key > $2)
ORDER BY key LIMIT $3::bigint";

/// Gives the key $2 of the store $1 the value $3. The version that this makes.
pub(super) const SET: &str = "
WITH counted AS (
    UPDATE store SET version = version + 1 WHERE name = $1 RETURNING version
), written AS (
    INSERT INTO pair (store, key, value, version) SELECT $1, $2, $3, version FROM counted
    ON CONFLICT (store, key) DO UPDATE SET value = excluded.value, version = excluded.version
)
SELECT version, true, pg_notify('ward_key_value', '')::text FROM counted";

/// Removes the key $2 of the store $1, and what was removed $3 versions ago or earlier. The version
/// that this makes; where there is nothing to remove, the one at which there was not, and `false`.
pub(super) const REMOVE: &str = "
WITH counted AS (
    UPDATE store SET version = version + 1 WHERE name = $1
        AND EXISTS (SELECT FROM pair WHERE store = $1 AND key = $2 AND value IS NOT NULL)
    RETURNING version
), removed AS (
    UPDATE pair SET value = NULL, version = counted.version FROM counted
    WHERE store = $1 AND key = $2
), forgotten AS (
    DELETE FROM pair USING counted
    WHERE store = $1 AND value IS NULL AND pair.version <= counted.version - $3::bigint
)
SELECT version, true, pg_notify('ward_key_value', '')::text FROM counted
UNION ALL
SELECT version, false, NULL FROM store WHERE name = $1 AND NOT EXISTS (SELECT FROM counted)";
