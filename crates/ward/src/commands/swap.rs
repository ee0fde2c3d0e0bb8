//! `ward swap`, `ward promote`, `ward rollback` and `ward revisions`: asks a ward that runs, and
//! says what it says.

use std::process::ExitCode;

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::cli::{AppFormat, OpsArgs, PromoteArgs, RevisionsArgs, RollbackArgs, SwapArgs};
use crate::failure::Failure;
use crate::ops::client::ask;
use crate::output;

/// Digits of a digest that people are shown.
const DIGITS: usize = 16;

/// Another build in a component's place.
pub(crate) fn swap(args: &SwapArgs) -> Result<ExitCode, Failure> {
    let file = args.file.display();
    let wasm = std::fs::read(&args.file).map_err(Failure::because(format!("reading {file}")))?;
    let mut path = format!("{}?percent={}", path(&args.component)?, args.percent);
    if let Some(steps) = &args.steps {
        path.push_str(&format!("&steps={}&every={}", steps.trim(), args.every.trim()));
    }
    change(&args.ops, (Method::PUT, &path), wasm.into())
}

/// More for a build that is on trial.
pub(crate) fn promote(args: &PromoteArgs) -> Result<ExitCode, Failure> {
    let path = format!("{}/promote?percent={}", path(&args.component)?, args.percent);
    change(&args.ops, (Method::POST, &path), Bytes::new())
}

/// The build before the present one.
pub(crate) fn roll_back(args: &RollbackArgs) -> Result<ExitCode, Failure> {
    let path = format!("{}/rollback", path(&args.component)?);
    change(&args.ops, (Method::POST, &path), Bytes::new())
}

/// All that there were.
pub(crate) fn revisions(args: &RevisionsArgs) -> Result<ExitCode, Failure> {
    let revisions = asked(&args.ops, (Method::GET, "/revisions"), Bytes::new())?;
    output::print(&match args.format {
        AppFormat::Json => format!("{revisions:#}\n"),
        AppFormat::Table => table(&revisions),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A component's path. Ids are words with dashes, in the manifest as well.
fn path(component: &str) -> Result<String, Failure> {
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match !component.is_empty() && component.chars().all(is_id) {
        true => Ok(format!("/components/{component}")),
        false => Err(Failure::new(format!("{component:?} is no component's id"))),
    }
}

fn change(args: &OpsArgs, what: (Method, &str), body: Bytes) -> Result<ExitCode, Failure> {
    let change = asked(args, what, body)?;
    output::print(&sentence(&change))?;
    Ok(ExitCode::SUCCESS)
}

fn asked(args: &OpsArgs, what: (Method, &str), body: Bytes) -> Result<Value, Failure> {
    super::runtime()?.block_on(ask(args, what, body))
}

/// `shop: 0123 serves in the place of 4567 (12 ms); made anew: shop, till`.
fn sentence(change: &Value) -> String {
    let text = |name: &str| change.get(name).and_then(Value::as_str).unwrap_or_default();
    let (component, digest, before) = (text("component"), text("digest"), text("before"));
    if digest == before {
        return format!("{component}: {} serves already\n", short(digest));
    }
    if change.get("percent").and_then(Value::as_u64) == Some(0) {
        return format!(
            "{component}: {} was taken back; {} serves\n",
            short(before),
            short(digest)
        );
    }
    let percent = change.get("percent").and_then(Value::as_u64).unwrap_or(100);
    if (1..100).contains(&percent) {
        let (digest, before) = (short(digest), short(before));
        return format!("{component}: {digest} answers {percent}%, {before} the rest\n");
    }
    let replaced = change.get("replaced").and_then(Value::as_array).into_iter().flatten();
    let replaced: Vec<&str> = replaced.filter_map(Value::as_str).collect();
    format!(
        "{component}: {} serves in the place of {} ({:.0} ms); made anew: {}\n",
        short(digest),
        short(before),
        change.get("tookMs").and_then(Value::as_f64).unwrap_or_default(),
        replaced.join(", ")
    )
}

fn table(revisions: &Value) -> String {
    let mut text = String::new();
    for component in revisions.as_array().into_iter().flatten() {
        let of = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let id = of(component, "component");
        let all = component.get("revisions").and_then(Value::as_array).into_iter().flatten();
        for revision in all {
            let is = |name: &str| revision.get(name).and_then(Value::as_bool).unwrap_or_default();
            let state = match (is("serving"), is("withdrawn")) {
                (true, _) => "serving",
                (false, true) => "back",
                (false, false) => "kept",
            };
            let (digest, since) = (of(revision, "digest"), of(revision, "since"));
            text.push_str(&format!("{id:<20} {} {state:<8} since {since}\n", short(&digest)));
        }
        if let Some(trial) = component.get("trial") {
            text.push_str(&format!("{id:<20} {}\n", on_trial(trial)));
        }
    }
    text
}

/// `0123 on trial 5%: 40 requests, 2 failed, p99 12.0 ms; the other 700, 1, 11.0 ms`.
fn on_trial(trial: &Value) -> String {
    let number = |side: &str, name: &str| {
        trial.get(side).and_then(|side| side.get(name)).and_then(Value::as_f64).unwrap_or_default()
    };
    let side = |side: &str, words: [&str; 3]| {
        let [requests, failed, took] = words;
        let (all, bad) = (number(side, "requests"), number(side, "failed"));
        format!("{all}{requests} {bad}{failed} {took}{:.1} ms", number(side, "p99Ms"))
    };
    let digest = trial.get("digest").and_then(Value::as_str).unwrap_or_default();
    let percent = trial.get("percent").and_then(Value::as_u64).unwrap_or_default();
    format!(
        "{} on trial {percent}%: {}; the other {}",
        short(digest),
        side("candidate", [" requests,", " failed,", "p99 "]),
        side("stable", [",", ",", ""])
    )
}

fn short(digest: &str) -> String {
    digest.chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{sentence, table};

    #[test]
    fn what_people_read() {
        let change = |digest: &str| {
            json!({"component": "shop", "digest": digest, "before": "4567", "tookMs": 12.4,
                   "replaced": ["shop", "till"]})
        };
        let said = "shop: 0123 serves in the place of 4567 (12 ms); made anew: shop, till\n";
        assert_eq!(sentence(&change("0123")), said);
        assert_eq!(sentence(&change("4567")), "shop: 4567 serves already\n");
        let mut trial = change("0123");
        trial["percent"] = json!(5);
        assert_eq!(sentence(&trial), "shop: 0123 answers 5%, 4567 the rest\n");
        let side = |n: u64| json!({"requests": n, "failed": 1, "p99Ms": 12.0});
        let trial = json!({"digest": "8", "percent": 5, "candidate": side(4), "stable": side(7)});
        let revisions = json!([{"component": "shop", "trial": trial, "revisions": [
            {"digest": "0123456789abcdef0", "since": "2026-01-01T00:00:00Z", "serving": true},
            {"digest": "f", "since": "2026-01-01T00:00:00Z", "serving": false},
        ]}]);
        let expected = "shop                 0123456789abcdef serving  since 2026-01-01T00:00:00Z\n\
                        shop                 f kept     since 2026-01-01T00:00:00Z\n\
                        shop                 8 on trial 5%: 4 requests, 1 failed, p99 12.0 ms; \
                        the other 7, 1, 12.0 ms\n";
        assert_eq!(table(&revisions), expected);
    }
}
