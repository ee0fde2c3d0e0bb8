//! Runs `api-requests/*.http` as a person would, request by request, and checks each against its
//! `# expect: <status>` comment. Understood: `###` between requests, `@name = value`,
//! `{{name}}`, `# @name <request>` and `{{<request>.response.body.<member>}}` (also with `$.`, and
//! `.response.headers.<name>`).

use serde_json::Value;
use std::collections::BTreeMap;
use ward_tests::{Answer, Api, Repository, Ward};

#[tokio::test]
async fn every_request_file_gets_what_it_expects() {
    let repository = Repository::here();
    let files: Vec<String> = repository
        .files()
        .into_iter()
        .filter(|path| path.starts_with("api-requests/") && path.ends_with(".http"))
        .collect();
    assert!(!files.is_empty(), "there are request files");
    let mut failures = Vec::new();
    for file in files {
        let mut session = Session::new(&file);
        let text = repository.read(&file);
        for block in blocks(&text) {
            session.run(&block, &mut failures).await;
        }
        assert!(session.requests > 0, "{file} has no request");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// One request of a file.
#[derive(Debug, Default)]
struct Block {
    line: usize,
    name: Option<String>,
    expect: Option<u16>,
    variables: Vec<(String, String)>,
    request: Option<(String, String)>,
    headers: Vec<(String, String)>,
    body: String,
}

/// Splits a file at its `###` lines.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = vec![Block::default()];
    let mut in_body = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("###") {
            blocks.push(Block::default());
            in_body = false;
        } else if let Some(block) = blocks.last_mut() {
            in_body = block.read(number + 1, line, in_body);
        }
    }
    blocks
}

impl Block {
    /// Takes one line in; returns whether the next one belongs to the body.
    fn read(&mut self, number: usize, line: &str, in_body: bool) -> bool {
        if in_body {
            self.body.push_str(line);
            self.body.push('\n');
            return true;
        }
        let comment = line.strip_prefix('#').or_else(|| line.strip_prefix("//")).map(str::trim);
        if let Some(comment) = comment {
            self.read_comment(comment);
        } else if line.trim().is_empty() {
            return self.request.is_some();
        } else if let Some((name, value)) = variable(line) {
            self.variables.push((name, value));
        } else if self.request.is_none() {
            let mut words = line.split_whitespace();
            let method = words.next().unwrap_or_default().to_owned();
            self.request = Some((method, words.next().unwrap_or_default().to_owned()));
            self.line = number;
        } else if let Some((name, value)) = line.split_once(':') {
            self.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        false
    }

    fn read_comment(&mut self, comment: &str) {
        if let Some(status) = comment.strip_prefix("expect:") {
            let digits: String = status.trim().chars().take_while(char::is_ascii_digit).collect();
            self.expect = Some(digits.parse().expect("a status"));
        } else if let Some(name) = comment.strip_prefix("@name") {
            self.name = Some(name.trim_start_matches([' ', '=']).trim().to_owned());
        }
    }
}

fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix('@')?.split_once('=')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

/// The variables and answers one file has gathered so far.
struct Session {
    file: String,
    variables: BTreeMap<String, String>,
    answers: BTreeMap<String, Answer>,
    requests: usize,
}

impl Session {
    fn new(file: &str) -> Session {
        let file = file.to_owned();
        Session { file, variables: BTreeMap::new(), answers: BTreeMap::new(), requests: 0 }
    }

    async fn run(&mut self, block: &Block, failures: &mut Vec<String>) {
        for (name, value) in &block.variables {
            let value = here(&self.filled(value));
            self.variables.insert(name.clone(), value);
        }
        let Some((method, url)) = &block.request else { return };
        self.requests += 1;
        let place = format!("{}:{}", self.file, block.line);
        let Some(expect) = block.expect else {
            failures.push(format!("{place}: no `# expect: <status>`"));
            return;
        };
        let api = Api::new(Ward::shared().gateway());
        let mut request = api.request(method, &here(&self.filled(url)));
        for (name, value) in &block.headers {
            request = request.header(name, self.filled(value));
        }
        if !block.body.trim().is_empty() {
            request = request.body(self.filled(block.body.trim()));
        }
        let answer = Answer::of(request).await;
        if answer.status != expect {
            failures.push(format!("{place}: {method} {url}: not {expect} but {answer:?}"));
        }
        if let Some(name) = &block.name {
            self.answers.insert(name.clone(), answer);
        }
    }

    /// The text with every `{{…}}` replaced; unknown ones stay, and show in the failure.
    fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, tail)) = after.split_once("}}") else { break };
            filled.push_str(before);
            let value = self.value(name.trim()).unwrap_or_else(|| format!("{{{{{name}}}}}"));
            filled.push_str(&value);
            rest = tail;
        }
        filled + rest
    }

    fn value(&self, name: &str) -> Option<String> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        if matches!(name, "$guid" | "$random.uuid" | "$uuid") {
            return Some(uuid::Uuid::new_v4().to_string());
        }
        let (request, part) = name.split_once(".response.")?;
        let answer = self.answers.get(request)?;
        if let Some(header) = part.strip_prefix("headers.") {
            return Some(answer.header(header).to_owned());
        }
        let body: Value = serde_json::from_str(&answer.body).ok()?;
        let path = part.strip_prefix("body.")?.trim_start_matches("$.").replace('.', "/");
        let value = body.pointer(&format!("/{path}"))?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

/// An address of the documented ports as one of the ports this ward got.
fn here(text: &str) -> String {
    let ward = Ward::shared();
    let listener = |name| ward.listener(name).unwrap_or_else(|| ward.gateway());
    let mut text = text.to_owned();
    for (port, address) in [
        (4004, ward.gateway()),
        (4000, listener("patients")),
        (4001, listener("billing")),
        (4005, listener("auth")),
    ] {
        for host in ["localhost", "127.0.0.1"] {
            text = text.replace(&format!("http://{host}:{port}"), address);
        }
    }
    text
}
