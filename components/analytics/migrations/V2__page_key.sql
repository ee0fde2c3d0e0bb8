-- What positions in links to next pages are sealed with: a link is believed only where it was made
-- here. In the database, because every replica has to open what another one sealed. Another key
-- makes the links of the moment useless (400) and does no other harm; where there is none, whoever
-- needs it first makes one.
CREATE TABLE page_key (
    -- One row at most.
    id  boolean PRIMARY KEY DEFAULT true CHECK (id),
    key bytea   NOT NULL CHECK (length(key) = 32)
);
