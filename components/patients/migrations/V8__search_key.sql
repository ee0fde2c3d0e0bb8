-- Names are found and sorted without regard to case, accents, joiners, and the form in which they
-- are written: JOSÉ, Jose and José in either normal form are one beginning, ΓΙΏΡΓΟΣ is Γιώργος,
-- and STRASSE is Straße. É stands near E, Ø near O, Š near S.
--
-- Here and not in the component, so that there is one rule for what is stored and what is asked,
-- for rows that were there before, and for rows of the previous version of the component, which
-- may still be running: it writes and reads name_key, the name in lower case, as ever. What
-- remains to be done to that: compatibility decomposition, which takes ligatures and wide letters
-- apart; no accents, points and joiners; and the letters whose full case folding is more than
-- their lower case, or that are variants of others. In byte order ("C") it depends on no locale.
--
-- Cut at 300 characters, which no name of 100 reaches that anybody has: an index takes 2700 bytes.
CREATE FUNCTION patients_search_key(lower_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(btrim(regexp_replace(
        replace(replace(replace(replace(
            translate(
                lower(regexp_replace(
                    normalize(translate(lower_name, '´`', ''''''), NFKD),
                    '[\u0300-\u036F\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A'
                    || '\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8'
                    || '\u06EA-\u06ED\u180B-\u180D\u1AB0-\u1AFF\u1DC0-\u1DFF\u200C\u200D'
                    || '\u20D0-\u20FF\uFE00-\uFE0F\uFE20-\uFE2F\U000E0100-\U000E01EF]', '', 'g'
                ) COLLATE "C"),
                'ςıøđðłħŧŋᲀᲁᲂᲃᲄᲅᲆᲇᲈ’‘ʼʻʹ′‐‒–—−',
                'σioddlhtnвдосттъѣꙋ''''''''''''-----'),
            'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
        ' +', ' ', 'g')), 300)
$$;

ALTER TABLE patients ADD COLUMN search_key text COLLATE "C"
    GENERATED ALWAYS AS (patients_search_key(name_key)) STORED;

-- The index on name_key stays until no previous version runs.
CREATE INDEX patients_by_search_key ON patients (search_key, id) WHERE deleted_at IS NULL;
