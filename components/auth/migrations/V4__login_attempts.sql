-- Failed logins, so that each next guess has to wait longer. Counted for a name from an address, so
-- that nobody elsewhere can keep its owner out, and for an address, so that one who tries many names
-- waits as well. A count drains with time.
CREATE TABLE login_attempts (
    -- A keyed hash of what is counted: neither names nor addresses are in the table, because people
    -- type passwords where names belong.
    key           bytea PRIMARY KEY CHECK (length(key) = 32),
    -- How many failures have not drained away, at the last of them.
    level         double precision NOT NULL DEFAULT 0,
    failed_at     timestamptz NOT NULL DEFAULT now(),
    blocked_until timestamptz,
    -- The last login that succeeded. Whoever has logged in from an address lately does not wait for
    -- what others do there.
    succeeded_at  timestamptz,
    -- When nothing of it matters any more.
    matters_until timestamptz NOT NULL
);

CREATE INDEX login_attempts_over_idx ON login_attempts (matters_until);
