-- Counts a failure: $1 key, $2 how many cost nothing, $3 seconds in which one drains away, $4 the
-- longest wait. Beyond the free ones the wait doubles with each.
INSERT INTO login_attempts AS t (key, level, matters_until)
VALUES ($1::bytea, 1, now() + $3::bigint * interval '1 second')
ON CONFLICT (key) DO UPDATE
SET (level, failed_at, blocked_until, matters_until) = (
    SELECT found.level, now(),
        CASE WHEN found.level > $2::bigint THEN
            now() + interval '1 second'
                * least($4::bigint, power(2, least(ceil(found.level) - $2::bigint - 1, 30)))
        END,
        greatest(t.matters_until, now() + $3::bigint * found.level * interval '1 second')
    FROM (SELECT 1 + greatest(0,
        t.level - extract(epoch FROM now() - t.failed_at) / $3::bigint)::double precision AS level
    ) AS found
)
