-- The same checks and the same notification as before, for less.

-- As PL/pgSQL, whose plans are kept. Functions in SQL are planned anew in each transaction, which
-- was a third of the time that opening an account took.
CREATE OR REPLACE FUNCTION entry_is_consistent(entry entries) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT count(*) = 2 AND sum(p.amount) = 0
                AND sum(p.amount) FILTER (WHERE p.ledger = 'RECEIVABLE') = entry.amount
            FROM postings p WHERE p.entry_id = entry.id)
        AND (entry.reverses IS NULL OR EXISTS (
            SELECT FROM entries e
            WHERE e.id = entry.reverses AND e.kind <> 'REVERSAL' AND e.amount = -entry.amount))
        AND entry.balance_after - entry.amount = coalesce((
            SELECT e.balance_after FROM entries e
            WHERE e.account_id = entry.account_id AND e.account_version < entry.account_version
            ORDER BY e.account_version DESC LIMIT 1), 0)
        AND coalesce((
            SELECT e.balance_after - e.amount = entry.balance_after FROM entries e
            WHERE e.account_id = entry.account_id AND e.account_version > entry.account_version
            ORDER BY e.account_version LIMIT 1), true);
END
$$;

CREATE OR REPLACE FUNCTION account_is_consistent(account uuid) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT a.balance = coalesce((
        SELECT e.balance_after FROM entries e WHERE e.account_id = a.id
        ORDER BY e.account_version DESC LIMIT 1), 0)
    FROM accounts a WHERE a.id = account);
END
$$;

-- A statement that inserts no row woke the relay as well, and had to be committed for that. Equal
-- notifications of one transaction are one, however many rows it inserts.
DROP TRIGGER outbox_notify ON outbox;
CREATE TRIGGER outbox_notify AFTER INSERT ON outbox
    FOR EACH ROW EXECUTE FUNCTION outbox_notify();
