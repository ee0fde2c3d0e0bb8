-- Where a request came from, as the host says it: the network address of whoever is in front of
-- it, or the one for which a proxy speaks that is believed. Null for the system itself, and in rows
-- from before this. The digest of a row leaves out what is null, so that theirs stay what they are.
ALTER TABLE audit_log ADD COLUMN address inet;
