//! Whatever the text, reading it ends in an answer; and every finding points into the text.

use std::path::Path;

use proptest::prelude::*;
use ward_manifest::{App, Findings, RuntimeConfig};

/// Words of manifests, so that some of the texts get past the parser.
const WORDS: &[&str] = &[
    "[application]",
    "[[trigger.http]]",
    "[component.a]",
    "[[trigger.kafka]]",
    "[application.trigger.kafka]",
    "brokers",
    "topics",
    "client",
    "[variables]",
    "[component.a.tool.ward]",
    "[component.a.dependencies]",
    "[[variables_provider]]",
    "[key_value_store.x]",
    "name",
    "route",
    "source",
    "component",
    "static_response",
    "secret",
    "default",
    "required",
    "listen",
    "files",
    "dependencies.middleware",
    "allowed_outbound_hosts",
    "\"http://{{ x }}\"",
    "'ä'",
    "{ }",
    "[]",
    "{ path = 'x' }",
    "{ component = 'a' }",
    "5",
    "true",
    "=",
    "=",
    "=",
    "\n",
    "\n",
    "\n",
    ",",
    "'a:b'",
    "'*://*:*'",
    "2024-01-01",
    "1e5",
    "'''",
    "spin_manifest_version = 2\n",
    "environment = { A = 'x' }\n",
    "{",
    "}",
    "[",
    "]",
    "type = 'static'\n",
    "values",
    "'1.0.0'",
];

fn every_place_is_in_the_text(text: &str, findings: &Findings) -> Result<(), TestCaseError> {
    prop_assert!(!findings.0.is_empty());
    let lines = text.matches('\n').count() + 1;
    for finding in &findings.0 {
        prop_assert!((1..=lines).contains(&finding.line), "{finding}");
        prop_assert!(finding.column >= 1, "{finding}");
    }
    Ok(())
}

fn both_answer(text: &str) -> Result<(), TestCaseError> {
    if let Err(findings) = App::read(Path::new("spin.toml"), text) {
        every_place_is_in_the_text(text, &findings)?;
    }
    if let Err(findings) = RuntimeConfig::read(Path::new("runtime-config.toml"), text) {
        every_place_is_in_the_text(text, &findings)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn on_arbitrary_text(text: String) {
        both_answer(&text)?;
    }

    #[test]
    fn on_words_of_manifests(words in proptest::collection::vec(
        proptest::sample::select(WORDS), 0..40,
    )) {
        both_answer(&words.join(" "))?;
    }

    /// A manifest in order, with one part of it cut out or written twice.
    #[test]
    fn on_a_damaged_manifest(from in 0_usize..3000, length in 0_usize..200, twice: bool) {
        let text = include_str!("clinic.toml");
        let from = text.floor_char_boundary(from.min(text.len()));
        let to = text.floor_char_boundary((from + length).min(text.len()));
        let (start, end) = if twice { (to, from) } else { (from, to) };
        both_answer(&format!("{}{}", &text[..start], &text[end..]))?;
    }
}
