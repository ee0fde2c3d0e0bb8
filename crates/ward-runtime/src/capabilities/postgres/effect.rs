//! What a statement may leave behind on its connection, told from its text. A connection that is
//! clean goes back to the pool without a round trip; so this decides between speed and a leak, and
//! where it is not sure it says that there is something to clean.
//!
//! Why text is enough. The extended protocol takes one command per statement, so the first word
//! decides what it can do. Only BEGIN and START TRANSACTION open a transaction that outlives their
//! statement; a function or procedure cannot. Session state (settings, advisory locks, LISTEN,
//! temporary tables, cursors) is made by commands of its own, or by functions that a query calls.
//! So a query is clean only if all functions it calls are on a list of built-in ones that keep no
//! session state. What remains are functions called behind the query's back: triggers, defaults,
//! views, operators. They belong to the same database and role as the pool itself, so what they
//! leave can only be seen by components that were given the same address.

/// What is left after a statement ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that outlives the statement or its transaction.
    Nothing,
    /// A transaction is open.
    Begin,
    /// No transaction is open.
    End,
    /// Session state may have changed.
    Session,
    /// What a clean-up cannot undo, or what would undo the statement cache: close the connection.
    Discard,
    /// COPY: the interface has no way to carry its data, and it would leave the connection stuck.
    Refuse,
}

/// The effect of `statement`.
pub(super) fn effect(statement: &str) -> Effect {
    let words: Vec<String> = Tokens { rest: statement }
        .filter_map(|token| match token {
            Token::Word(word) => Some(word.to_ascii_uppercase()),
            _ => None,
        })
        .take(COMMAND_WORDS)
        .collect();
    let mut words = words.iter().map(String::as_str);
    match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
        ("SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "VALUES" | "TABLE" | "WITH", _) => {
            if only_harmless(statement) {
                Effect::Nothing
            } else {
                Effect::Session
            }
        }
        ("BEGIN" | "START", _) => Effect::Begin,
        ("COMMIT" | "ROLLBACK" | "END" | "ABORT", second) => end(second, words),
        // Outside a transaction these do nothing, and inside they end with it.
        ("SAVEPOINT" | "RELEASE" | "LOCK", _) => Effect::Nothing,
        ("SET", "LOCAL" | "TRANSACTION" | "CONSTRAINTS") => Effect::Nothing,
        ("SHOW" | "", _) => Effect::Nothing,
        // PREPARE TRANSACTION outlives the session; the others are about prepared statements, ours
        // among them.
        ("PREPARE" | "DEALLOCATE" | "EXECUTE" | "DISCARD", _) => Effect::Discard,
        ("COPY", _) => Effect::Refuse,
        _ => Effect::Session,
    }
}

/// The words a command is told by: `ROLLBACK TRANSACTION AND NO CHAIN` is the longest.
const COMMAND_WORDS: usize = 5;

/// Ending a transaction: `AND CHAIN` opens the next one at once, and `TO` a savepoint stays inside.
/// `AND NO CHAIN` is cleaned up without need, which is harmless.
fn end<'a>(second: &'a str, rest: impl Iterator<Item = &'a str>) -> Effect {
    let mut effect = Effect::End;
    for word in std::iter::once(second).chain(rest) {
        match word {
            "CHAIN" => return Effect::Begin,
            "TO" => effect = Effect::Nothing,
            _ => {}
        }
    }
    effect
}

/// Whether all that a query calls keeps no session state.
fn only_harmless(statement: &str) -> bool {
    let mut before: Option<&str> = None;
    let mut name = Name::default();
    let mut inserts = false;
    for token in (Tokens { rest: statement }) {
        match token {
            Token::Word(word) => {
                let upper = word.to_ascii_uppercase();
                inserts |= matches!(upper.as_str(), "INSERT" | "MERGE");
                // SELECT … INTO makes a table, perhaps a temporary one.
                if upper == "INTO" && !inserts {
                    return false;
                }
                if !name.continues() {
                    before = name.whole();
                }
                name.push(word, false);
            }
            Token::Quoted => {
                if !name.continues() {
                    before = name.whole();
                }
                name.push("", true);
            }
            Token::Dot => name.dot(),
            Token::Open => {
                if name.is_called(before) {
                    return false;
                }
                before = None;
                name = Name::default();
            }
            Token::Other => {
                before = None;
                name = Name::default();
            }
        }
    }
    true
}

/// The last name of a statement, `schema.name` being one.
#[derive(Default)]
struct Name<'a> {
    word: Option<&'a str>,
    qualified: bool,
    quoted: bool,
    after_dot: bool,
}

impl<'a> Name<'a> {
    fn push(&mut self, word: &'a str, quoted: bool) {
        *self = Name { word: Some(word), qualified: self.after_dot, quoted, after_dot: false };
    }

    fn dot(&mut self) {
        self.after_dot = true;
    }

    fn continues(&self) -> bool {
        self.after_dot
    }

    fn whole(&self) -> Option<&'a str> {
        self.word
    }

    /// Whether a parenthesis right after this name may call something that is not known.
    fn is_called(&self, before: Option<&str>) -> bool {
        let Some(word) = self.word else { return false };
        // INSERT INTO t (…), AS alias (…), and a CTE's column list are no calls.
        let listed = before.is_some_and(|before| {
            ["INTO", "AS", "WITH", "RECURSIVE"].iter().any(|word| before.eq_ignore_ascii_case(word))
        });
        if listed {
            return false;
        }
        let lower = word.to_ascii_lowercase();
        self.qualified || self.quoted || HARMLESS.binary_search(&lower.as_str()).is_err()
    }
}

/// Words that may stand before a parenthesis: SQL's own, types with a size, and built-in functions
/// that read or compute only. Sorted. pg_catalog is searched before any other schema, so that an
/// unqualified name of these is the built-in one.
const HARMLESS: &[&str] = &[
    "abs",
    "age",
    "all",
    "and",
    "any",
    "array",
    "array_agg",
    "array_length",
    "array_position",
    "array_remove",
    "array_to_string",
    "as",
    "avg",
    "between",
    "bool_and",
    "bool_or",
    "bpchar",
    "btrim",
    "by",
    "cardinality",
    "case",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "character",
    "clock_timestamp",
    "coalesce",
    "concat",
    "concat_ws",
    "conflict",
    "count",
    "cube",
    "current_setting",
    "date_part",
    "date_trunc",
    "decimal",
    "decode",
    "dense_rank",
    "distinct",
    "else",
    "encode",
    "every",
    "except",
    "exists",
    "extract",
    "filter",
    "first_value",
    "floor",
    "format",
    "from",
    "gen_random_uuid",
    "generate_series",
    "greatest",
    "group",
    "having",
    "in",
    "initcap",
    "intersect",
    "interval",
    "isempty",
    "json_agg",
    "json_build_array",
    "json_build_object",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_array_length",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_agg",
    "jsonb_set",
    "jsonb_typeof",
    "lag",
    "last_value",
    "lateral",
    "lead",
    "least",
    "left",
    "length",
    "like",
    "limit",
    "lower",
    "lower_inc",
    "lower_inf",
    "lpad",
    "ltrim",
    "make_date",
    "make_interval",
    "make_time",
    "make_timestamp",
    "make_timestamptz",
    "materialized",
    "max",
    "md5",
    "min",
    "mod",
    "not",
    "now",
    "nth_value",
    "ntile",
    "nullif",
    "numeric",
    "octet_length",
    "offset",
    "on",
    "or",
    "over",
    "overlay",
    "partition",
    "percent_rank",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_backend_pid",
    "pg_notify",
    "pg_try_advisory_xact_lock",
    "position",
    "power",
    "random",
    "rank",
    "regexp_match",
    "regexp_matches",
    "regexp_replace",
    "repeat",
    "replace",
    "returning",
    "reverse",
    "right",
    "rollup",
    "round",
    "row",
    "row_number",
    "row_to_json",
    "rpad",
    "rtrim",
    "select",
    "set",
    "sets",
    "sha256",
    "sign",
    "some",
    "split_part",
    "sqrt",
    "starts_with",
    "statement_timestamp",
    "string_agg",
    "string_to_array",
    "strpos",
    "substr",
    "substring",
    "sum",
    "then",
    "time",
    "timestamp",
    "timestamptz",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "transaction_timestamp",
    "translate",
    "trim",
    "trunc",
    "union",
    "unnest",
    "upper",
    "upper_inc",
    "upper_inf",
    "using",
    "values",
    "varchar",
    "when",
    "where",
    "within",
];

/// A piece of SQL, as much of it as matters here.
#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A bare word.
    Word(&'a str),
    /// A quoted identifier.
    Quoted,
    Dot,
    Open,
    /// A literal, an operator, punctuation.
    Other,
}

/// SQL cut into tokens, without comments and spaces.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    /// Cuts off the first `bytes`; the end, should they be more than there are.
    fn cut(&mut self, bytes: usize) -> &'a str {
        let (head, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        head
    }

    fn skip_spaces_and_comments(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("--") {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.cut(end);
            } else if self.rest.starts_with("/*") {
                self.cut(block_comment(self.rest));
            } else {
                return;
            }
        }
    }
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            match rest.chars().next() {
                Some(next) => at += next.len_utf8(),
                None => break,
            }
        }
    }
    text.len()
}

/// The length of a literal or quoted name that starts with its quote.
fn quoted(text: &str, quote: char, backslash: bool) -> usize {
    let mut escaped = false;
    for (at, next) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if backslash && next == '\\' {
            escaped = true;
        } else if next == quote {
            // A doubled quote ends one token and starts the next: the same to us.
            return at + next.len_utf8();
        }
    }
    text.len()
}

/// The length of a `$tag$ … $tag$` literal, if one starts here.
fn dollar_quoted(text: &str) -> Option<usize> {
    let tag_end = text.get(1..)?.find('$')? + 2;
    let tag = text.get(..tag_end)?;
    let named = tag.get(1..tag_end - 1)?;
    if named.starts_with(|c: char| c.is_ascii_digit())
        || !named.chars().all(|c| c.is_alphanumeric() || c == '_')
    {
        return None;
    }
    let body = text.get(tag_end..)?;
    Some(body.find(tag).map_or(text.len(), |end| tag_end + end + tag.len()))
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_spaces_and_comments();
        let first = self.rest.chars().next()?;
        if first.is_alphabetic() || first == '_' {
            let end = self
                .rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(self.rest.len());
            let word = self.cut(end);
            // E'…' and the like: the word belongs to the literal.
            if self.rest.starts_with('\'') {
                let backslash = word.eq_ignore_ascii_case("e");
                self.cut(quoted(self.rest, '\'', backslash));
                return Some(Token::Other);
            }
            return Some(Token::Word(word));
        }
        let (length, token) = match first {
            '"' => (quoted(self.rest, '"', false), Token::Quoted),
            '\'' => (quoted(self.rest, '\'', false), Token::Other),
            '$' => (dollar_quoted(self.rest).unwrap_or(1), Token::Other),
            '.' => (1, Token::Dot),
            '(' => (1, Token::Open),
            other => (other.len_utf8(), Token::Other),
        };
        self.cut(length);
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(HARMLESS.is_sorted());
    }

    #[test]
    fn statements_and_what_they_leave() {
        use Effect::*;
        for (statement, expected) in [
            ("SELECT 1", Nothing),
            ("  -- hi\n /* a /* b */ c */ (select * from t where a in ($1, $2))", Nothing),
            ("select count(*), lower(name) from t where id = any($1)", Nothing),
            ("insert into t (a, b) values ($1, now()) on conflict (a) do nothing", Nothing),
            ("insert into app.\"T\" (a) values ($1) returning id", Nothing),
            ("with recent as (select 1) select * from recent", Nothing),
            ("with recent (a, b) as (select 1, 2) select * from recent", Nothing),
            ("update t set a = coalesce($1, a) where b = 'set_config(1)'", Nothing),
            ("select $q$ set_config('a') $q$, $1, E'it\\'s lower(' || a from t", Nothing),
            ("delete from t where (a, b) > ($1, $2)", Nothing),
            ("select $1::numeric(10, 2), x::varchar(3) from unnest($2::text[]) as u(x)", Nothing),
            ("select set_config('search_path', 'x', false)", Session),
            ("select pg_catalog.set_config('search_path', 'x', false)", Session),
            ("select \"set_config\"('a', 'b', false)", Session),
            ("select set_config\n /* */ ('a', 'b', false)", Session),
            ("select pg_advisory_lock(1)", Session),
            ("select pg_advisory_xact_lock(1)", Nothing),
            ("select public.lower('a')", Session),
            ("select * into temp x from t", Session),
            ("with a as (select f(1)) select * from a", Session),
            ("BEGIN", Begin),
            ("start transaction isolation level serializable", Begin),
            ("commit", End),
            ("COMMIT WORK;", End),
            ("end", End),
            ("rollback", End),
            ("rollback to savepoint a", Nothing),
            ("rollback work to savepoint a", Nothing),
            ("rollback and chain", Begin),
            ("commit and chain", Begin),
            ("savepoint a", Nothing),
            ("set local app.user = 'x'", Nothing),
            ("set search_path to x", Session),
            ("listen x", Session),
            ("declare c cursor with hold for select 1", Session),
            ("create temp table x (a int)", Session),
            ("do $$ begin perform 1; end $$", Session),
            ("call p()", Session),
            ("prepare x as select 1", Discard),
            ("discard all", Discard),
            ("copy t from stdin", Refuse),
            ("", Nothing),
            ("--", Nothing),
        ] {
            assert_eq!(effect(statement), expected, "{statement}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_classified(text in ".{0,200}") {
            effect(&text);
        }

        #[test]
        fn sql_like_text_is_classified(
            text in "([a-z ]|--|/\\*|\\*/|'|\"|\\$a\\$|\\(|\\)|\\.|\n){0,60}",
        ) {
            effect(&text);
        }
    }
}
