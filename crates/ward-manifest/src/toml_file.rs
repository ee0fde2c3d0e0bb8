//! Reads TOML by hand, so that every finding has its place: [`Report`] gathers findings for one
//! file, [`Section`] reads the keys of one table and reports what has the wrong type. Nothing
//! here knows what the keys mean. Excerpts are made last, when all that is secret is known.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::app::SourcePosition;
use crate::finding::{Finding, mask_credentials};
use crate::names::closest;

/// A place in the text, in bytes.
pub(crate) type Span = Range<usize>;

/// A value with its place.
pub(crate) type Value<'a> = &'a Spanned<DeValue<'a>>;

/// Excerpts end after this many characters; a longer line is seldom written by hand.
const EXCERPT_CHARS_MAX: usize = 160;

/// The text of a file and what was found in it.
pub(crate) struct Report<'t> {
    file: &'t Path,
    text: &'t str,
    hidden: RefCell<Vec<Span>>,
    errors: RefCell<Vec<Raw>>,
    warnings: RefCell<Vec<Raw>>,
}

/// A finding before its excerpt is made.
struct Raw {
    start: usize,
    problem: String,
    help: Option<String>,
}

/// A string with its place.
#[derive(Clone)]
pub(crate) struct Text<'a> {
    pub(crate) value: &'a str,
    pub(crate) span: Span,
}

impl<'t> Report<'t> {
    pub(crate) fn new(file: &'t Path, text: &'t str) -> Report<'t> {
        Report {
            file,
            text,
            hidden: RefCell::default(),
            errors: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// Something is wrong at `span`.
    pub(crate) fn error(&self, span: &Span, problem: impl Into<String>) {
        self.errors.borrow_mut().push(Raw {
            start: span.start,
            problem: problem.into(),
            help: None,
        });
    }

    /// Something is wrong at `span`, and this would be right.
    pub(crate) fn error_help(
        &self,
        span: &Span,
        problem: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        let raw = Raw { start: span.start, problem: problem.into(), help: help.into() };
        self.errors.borrow_mut().push(raw);
    }

    /// Something is odd at `span`, but does not stop the application.
    pub(crate) fn warn(&self, span: &Span, problem: impl Into<String>, help: impl Into<String>) {
        let help = Some(help.into());
        self.warnings.borrow_mut().push(Raw { start: span.start, problem: problem.into(), help });
    }

    /// Keeps the text at `span` out of every excerpt.
    pub(crate) fn hide(&self, span: &Span) {
        self.hidden.borrow_mut().push(span.clone());
    }

    /// Hides everything in the value but the names of keys.
    pub(crate) fn hide_values(&self, value: Value<'_>) {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().for_each(|item| self.hide_values(item)),
            DeValue::Table(table) => table.values().for_each(|item| self.hide_values(item)),
            _ => self.hide(&value.span()),
        }
    }

    /// Whether anything is wrong so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// The errors and the warnings, each in the order of the file.
    pub(crate) fn finish(self) -> (Vec<Finding>, Vec<Finding>) {
        let finish = |raws: &RefCell<Vec<Raw>>| {
            let mut raws = raws.take();
            raws.sort_by_key(|raw| raw.start);
            let mut findings: Vec<Finding> =
                raws.into_iter().map(|raw| self.finding(raw)).collect();
            findings.dedup();
            findings
        };
        (finish(&self.errors), finish(&self.warnings))
    }

    fn finding(&self, raw: Raw) -> Finding {
        let place = self.place(raw.start);
        Finding {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            excerpt: place.excerpt,
            problem: mask_credentials(&raw.problem),
            help: raw.help.map(|help| mask_credentials(&help)),
        }
    }

    /// Where an offset is, with the line's text. Call it when everything secret is hidden.
    pub(crate) fn place(&self, offset: usize) -> SourcePosition {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let (before, after) = self.text.split_at(offset);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = offset + after.find('\n').unwrap_or(after.len());
        SourcePosition {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            excerpt: self.excerpt(line_start..line_end),
        }
    }

    fn excerpt(&self, line: Span) -> String {
        let mut hidden = self.hidden.borrow().clone();
        hidden.sort_by_key(|span| span.start);
        let mut shown = String::new();
        let mut from = line.start;
        for span in hidden.iter().filter(|span| span.start < line.end) {
            if span.end <= from {
                continue;
            }
            if span.start >= from {
                shown.push_str(self.text.get(from..span.start).unwrap_or_default());
            }
            shown.push_str("\"…\"");
            from = from.max(span.end);
        }
        shown.push_str(self.text.get(from..line.end).unwrap_or_default());
        let shown = mask_credentials(shown.trim());
        if shown.chars().count() <= EXCERPT_CHARS_MAX {
            return shown;
        }
        shown.chars().take(EXCERPT_CHARS_MAX).chain("…".chars()).collect()
    }
}

/// One table, as its keys are read.
#[derive(Clone)]
pub(crate) struct Section<'a> {
    pub(crate) report: &'a Report<'a>,
    pub(crate) span: Span,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    pub(crate) fn new(report: &'a Report<'a>, span: Span, table: &'a DeTable<'a>) -> Section<'a> {
        Section { report, span, table }
    }

    /// Reports each key that is not in `known`.
    pub(crate) fn only(&self, known: &[&'static str]) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let help = match closest(name, known.iter().copied()) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!("the keys here are {}", known.join(", ")),
                };
                self.report.error_help(&key.span(), format!("unknown key `{name}`"), help);
            }
        }
    }

    /// The value of a key, whatever its type.
    pub(crate) fn value(&self, key: &str) -> Option<Value<'a>> {
        self.table.get(key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The place of a key's name; of the section, when it has no such key.
    pub(crate) fn key_span(&self, key: &str) -> Span {
        self.table.get_key_value(key).map_or_else(|| self.span.clone(), |(key, _)| key.span())
    }

    /// Every key with its value.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Text<'a>, Value<'a>)> + use<'a> {
        self.table
            .iter()
            .map(|(key, value)| (Text { value: key.get_ref().as_ref(), span: key.span() }, value))
    }

    pub(crate) fn text(&self, key: &str) -> Option<Text<'a>> {
        self.text_of(self.value(key)?, key)
    }

    pub(crate) fn required_text(&self, key: &str) -> Option<Text<'a>> {
        if !self.has(key) {
            self.missing(key, "a string");
        }
        self.text(key)
    }

    pub(crate) fn string(&self, key: &str) -> Option<String> {
        self.text(key).map(|text| text.value.to_owned())
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(value, key, "true or false");
        }
        flag
    }

    pub(crate) fn integer(&self, key: &str) -> Option<(i64, Span)> {
        let value = self.value(key)?;
        let parsed = value.get_ref().as_integer().and_then(|integer| {
            i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
        });
        if parsed.is_none() {
            self.wrong_type(value, key, "an integer");
        }
        Some((parsed?, value.span()))
    }

    /// An integer that counts something: not negative.
    pub(crate) fn count(&self, key: &str) -> Option<usize> {
        let (number, span) = self.integer(key)?;
        let count = usize::try_from(number).ok();
        if count.is_none() {
            self.report.error(&span, format!("`{key}` must not be negative"));
        }
        count
    }

    /// A list of strings; empty when there is none.
    pub(crate) fn texts(&self, key: &str) -> Vec<Text<'a>> {
        self.list(key, "a list of strings")
            .iter()
            .filter_map(|item| self.text_of(item, &format!("each entry of `{key}`")))
            .collect()
    }

    pub(crate) fn strings(&self, key: &str) -> Vec<String> {
        self.texts(key).into_iter().map(|text| text.value.to_owned()).collect()
    }

    /// The items of a list; empty when there is none.
    pub(crate) fn list(&self, key: &str, expected: &str) -> &'a [Spanned<DeValue<'a>>] {
        let Some(value) = self.value(key) else { return &[] };
        match value.get_ref() {
            DeValue::Array(items) => items,
            _ => {
                self.wrong_type(value, key, expected);
                &[]
            }
        }
    }

    pub(crate) fn section(&self, key: &str) -> Option<Section<'a>> {
        self.section_of(self.value(key)?, key)
    }

    /// A table of tables, such as `[component]`; empty when there is none.
    pub(crate) fn sections(&self, key: &str) -> Vec<(Text<'a>, Section<'a>)> {
        let Some(outer) = self.section(key) else { return Vec::new() };
        outer
            .entries()
            .filter_map(|(name, value)| {
                let inner = outer.section_of(value, name.value)?;
                Some((name, inner))
            })
            .collect()
    }

    /// A table of strings; empty when there is none.
    pub(crate) fn text_map(&self, key: &str) -> Vec<(Text<'a>, Text<'a>)> {
        let Some(inner) = self.section(key) else { return Vec::new() };
        inner
            .entries()
            .filter_map(|(name, value)| {
                let text = inner.text_of(value, name.value)?;
                Some((name, text))
            })
            .collect()
    }

    /// Takes a value as a table; `name` is what messages call it.
    pub(crate) fn section_of(&self, value: Value<'a>, name: &str) -> Option<Section<'a>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(self.report, value.span(), table)),
            _ => {
                self.wrong_type(value, name, "a table");
                None
            }
        }
    }

    /// Takes a value as a string; `name` is what messages call it.
    pub(crate) fn text_of(&self, value: Value<'a>, name: &str) -> Option<Text<'a>> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, name, "a string");
        }
        Some(Text { value: text?, span: value.span() })
    }

    pub(crate) fn wrong_type(&self, value: Value<'_>, name: &str, expected: &str) {
        let is_key = !name.contains([' ', '`']);
        let name = if is_key { format!("`{name}`") } else { name.to_owned() };
        let found = value.get_ref().type_str();
        let problem = format!("{name} must be {expected}, and this is {}", with_article(found));
        self.report.error(&value.span(), problem);
    }

    pub(crate) fn missing(&self, key: &str, expected: &str) {
        let problem = format!("`{key}` is missing here; it must be {expected}");
        self.report.error(&self.span, problem);
    }

    pub(crate) fn error(&self, span: &Span, problem: impl Into<String>) {
        self.report.error(span, problem);
    }
}

fn with_article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

/// The part of a line with a syntax error that is safe to show: nothing is known yet of what is
/// secret, so values stay out unless their key is one that never holds a secret.
pub(crate) fn syntax_excerpt(line: &str) -> String {
    const HARMLESS: &[&str] = &[
        "spin_manifest_version",
        "name",
        "version",
        "authors",
        "description",
        "route",
        "component",
        "source",
        "id",
        "command",
        "workdir",
        "watch",
        "required",
        "secret",
        "allowed_outbound_hosts",
        "key_value_stores",
        "listen",
        "type",
        "prefix",
    ];
    let line = line.trim();
    if line.starts_with('[') && line.ends_with(']') && !line.contains(['"', '\'', '=']) {
        return line.to_owned();
    }
    match line.split_once('=') {
        Some((key, value)) if HARMLESS.contains(&key.trim()) && !value.contains(['{', '=']) => {
            mask_credentials(line)
        }
        _ => String::new(),
    }
}

/// Puts a parser's error into words of ours: its place and message, never the text it quotes.
pub(crate) fn syntax_finding(file: &Path, text: &str, error: &toml::de::Error) -> Finding {
    let report = Report::new(file, text);
    let start = error.span().map_or(0, |span| span.start);
    let place = report.place(start);
    let line = text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
    let message = error.message().lines().next().unwrap_or_default();
    Finding {
        file: file.to_owned(),
        line: place.line,
        column: place.column,
        excerpt: syntax_excerpt(line),
        problem: mask_credentials(&format!("this is not TOML: {message}")),
        help: None,
    }
}
