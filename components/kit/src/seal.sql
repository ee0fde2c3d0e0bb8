-- Two UUIDs are 244 bits that PostgreSQL draws from the system's secure source.
WITH made AS (
    INSERT INTO page_key (key)
    SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    WHERE NOT EXISTS (SELECT FROM page_key)
    ON CONFLICT DO NOTHING
    RETURNING key
)
SELECT key FROM page_key
UNION ALL
SELECT key FROM made
