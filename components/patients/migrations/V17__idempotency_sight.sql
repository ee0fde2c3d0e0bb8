-- Of the earlier patients whom an answer named, those who were restricted: whoever is answered again
-- and sees no such patients any more is not told of them.
ALTER TABLE idempotency ADD COLUMN restricted uuid[] NOT NULL DEFAULT '{}';
