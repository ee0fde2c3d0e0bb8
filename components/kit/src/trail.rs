//! `GET /api/audit/<service>`: who did what, out of a service's own audit log, newest first. Who
//! may ask is the policy's business; that somebody asked stands in the log, too.
//!
//! Each service answers for itself, because nobody else may open its database. A row is shown with
//! what there is of it: ids, codes and counts, which is all that a log holds.

use std::net::IpAddr;

use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};
use spin_sdk::pg::ParameterValue;

use crate::database::{self, Database, Fault};
use crate::problem::INTERNAL;
use crate::query::{self, Query};
use crate::refusal::is_code;
use crate::route::Call;
use crate::seal::Seal;
use crate::{Problem, Reply, date, describe, page, reply, uuid};

/// What there is to be asked of a service's log.
#[derive(Debug, Clone, Copy)]
pub struct Trail {
    /// Where it is answered.
    pub path: &'static str,
    /// The component's variable with the address of its database.
    pub database: &'static str,
    /// Whether rows are about patients: the columns `patient_id` and `shown`.
    pub patients: bool,
    /// Whether rows give reasons: the columns `break_glass` and `erasure_reason`.
    pub break_glass: bool,
}

impl Trail {
    /// What can be asked, for the API's document.
    pub fn asked(&self) -> Vec<describe::Asked> {
        describe::asked(|| Question::parse(self, ""))
    }
}

/// The filters of one question, each with the value of its parameter, and where the page begins.
#[derive(Debug)]
struct Question {
    /// As they were asked, for the next page's link.
    asked: Vec<(&'static str, String)>,
    /// Conditions, with `$` where the parameter stands.
    conditions: Vec<(&'static str, ParameterValue)>,
    limit: u32,
    cursor: Option<String>,
}

impl Question {
    fn parse(trail: &Trail, text: &str) -> Result<Self, Problem> {
        let mut query = Query::parse(text)?;
        let mut asked = Asked::default();
        asked.take(&mut query, "user", "actor = $::uuid", id);
        if trail.patients {
            let about = "(patient_id = $::uuid OR shown @> ARRAY[$::uuid])";
            asked.take(&mut query, "patient", about, id);
        }
        asked.take(&mut query, "action", "action = $::text", code);
        asked.take(&mut query, "outcome", "outcome = $::text", code);
        // The sum of a flood is of an IPv6 network, in which the address is.
        let from = "(address <<= $::text::inet OR times IS NOT NULL AND address >>= $::text::inet)";
        asked.take(&mut query, "address", from, network);
        asked.take(&mut query, "from", "at >= $::text::timestamptz", moment);
        asked.take(&mut query, "to", "at < $::text::timestamptz", moment);
        if asked.ends_before_it_begins() {
            query.fail::<()>("to", "must not be before from");
        }
        if trail.break_glass {
            let broken = "(break_glass IS NOT NULL) = $::boolean";
            asked.take(&mut query, "breakGlass", broken, truth);
        }
        let limit = page::limit(&mut query);
        let cursor = query.take("after");
        query.finish()?;
        // A limit is missing only after it failed, and then finish() has returned.
        let limit = limit.ok_or_else(|| Problem::new(INTERNAL))?;
        Ok(Self { asked: asked.words, conditions: asked.conditions, limit, cursor })
    }

    /// What has to stay the same from page to page.
    fn words(&self) -> String {
        format!("audit {:?}", self.asked)
    }

    /// The row before which the page begins.
    fn before(&self, seal: &Seal) -> Result<i64, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(i64::MAX) };
        let position = seal.position(cursor, &self.words());
        position.and_then(|position| position.parse().ok()).ok_or_else(|| {
            query::wrong("after", "must come from a Link header for the same filters")
        })
    }

    fn next_link(&self, trail: &Trail, seal: &Seal, last: i64) -> Option<HeaderValue> {
        let cursor = seal.cursor(&last.to_string(), &self.words())?;
        let limit = self.limit.to_string();
        let mut pairs = vec![("limit", limit.as_str())];
        pairs.extend(self.asked.iter().map(|(name, value)| (*name, value.as_str())));
        pairs.push(("after", &cursor));
        page::next_link(trail.path, &pairs)
    }

    /// The statement, whose parameters are the caller's five, how many rows are wanted, before
    /// which, and those of the conditions.
    fn statement(&self) -> String {
        let mut conditions = String::new();
        for ((condition, _), number) in self.conditions.iter().zip(8..) {
            conditions.push_str(" AND ");
            conditions.push_str(&condition.replace('$', &format!("${number}")));
        }
        include_str!("trail.sql").replace("/* and what was asked for */", &conditions)
    }
}

/// What was read of a query so far.
#[derive(Default)]
struct Asked {
    words: Vec<(&'static str, String)>,
    conditions: Vec<(&'static str, ParameterValue)>,
}

impl Asked {
    fn take(
        &mut self,
        query: &mut Query,
        name: &'static str,
        condition: &'static str,
        read: impl Fn(&str) -> Result<ParameterValue, &'static str>,
    ) {
        let Some(text) = query.take(name) else { return };
        match read(&text) {
            Ok(value) => {
                self.words.push((name, text));
                self.conditions.push((condition, value));
            }
            Err(expected) => {
                query.fail::<()>(name, expected);
            }
        }
    }
}

impl Asked {
    fn ends_before_it_begins(&self) -> bool {
        let at = |name: &str| {
            let (_, text) = self.words.iter().find(|(known, _)| *known == name)?;
            date::parse_instant(text)
        };
        at("from").zip(at("to")).is_some_and(|(from, to)| to < from)
    }
}

fn id(text: &str) -> Result<ParameterValue, &'static str> {
    let id = uuid::parse(text).ok_or("must be a UUID")?;
    Ok(database::uuid(&id))
}

fn code(text: &str) -> Result<ParameterValue, &'static str> {
    is_code(text).then(|| database::text(text)).ok_or("must be a code, such as READ")
}

/// An address, or a network as `192.0.2.0/24`; as rows have it, whose addresses are canonical.
fn network(text: &str) -> Result<ParameterValue, &'static str> {
    let expected = "must be a network address, such as 192.0.2.7 or 2001:db8::/32";
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address = address.parse::<IpAddr>().map_err(|_| expected)?;
    let Some(prefix) = prefix else {
        return Ok(database::text(&address.to_canonical().to_string()));
    };
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.parse::<u8>().ok().filter(|prefix| *prefix <= bits).ok_or(expected)?;
    Ok(database::text(&format!("{address}/{prefix}")))
}

fn moment(text: &str) -> Result<ParameterValue, &'static str> {
    let expected = "must be a moment, such as 2024-02-29T01:02:03Z; a + in it is written %2B";
    let at = date::parse_instant(text).ok_or(expected)?;
    Ok(database::text(&date::format_instant(at)))
}

fn truth(text: &str) -> Result<ParameterValue, &'static str> {
    match text {
        "true" => Ok(ParameterValue::Boolean(true)),
        "false" => Ok(ParameterValue::Boolean(false)),
        _ => Err("must be true or false"),
    }
}

/// Makes rows of what was counted of refusals in minutes that are over.
const SUM: &str = "SELECT sum_refusals()";

/// Answers.
pub async fn answer(call: &Call<'_>, trail: &Trail) -> Result<Reply, Problem> {
    let failed = |fault: Fault| {
        call.log_failure(fault.cause());
        Problem::from(&fault)
    };
    let mut question = Question::parse(trail, call.query)?;
    let seal = Seal::own(Database::open(trail.database)).await.map_err(failed)?;
    let before = question.before(&seal)?;
    let statement = question.statement();
    let place =
        [ParameterValue::Int64(i64::from(question.limit) + 1), ParameterValue::Int64(before)];
    let conditions = std::mem::take(&mut question.conditions);
    let values = place.into_iter().chain(conditions.into_iter().map(|(_, value)| value));
    let found = async {
        let database = Database::open(trail.database).await?;
        database.execute(SUM, Vec::new()).await?;
        let rows = database.query(&statement, call.caller.access().values(values)).await?;
        rows.iter().map(|row| Ok((row.bigint(0)?, row.text(1)?))).collect::<Result<Vec<_>, Fault>>()
    };
    let mut rows = found.await.map_err(failed)?;
    let more = page::cut(&mut rows, question.limit);
    let entries: Option<Vec<Value>> = rows.iter().map(|(_, text)| entry(text)).collect();
    let entries = entries.ok_or_else(|| failed(Fault::Other("audit-row".to_owned())))?;
    let answer = reply::json(StatusCode::OK, &entries);
    match rows.last().filter(|_| more) {
        Some((last, _)) => page::linked(answer, question.next_link(trail, &seal, *last)),
        None => Ok(answer),
    }
}

/// A row as the API writes it: the columns' names in camel case.
fn entry(text: &str) -> Option<Value> {
    let row: Map<String, Value> = serde_json::from_str(text).ok()?;
    Some(row.into_iter().map(|(name, value)| (camel(&name), value)).collect())
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut camel, word| {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
        camel
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";
    const ALL: Trail =
        Trail { path: "/api/audit/x", database: "d", patients: true, break_glass: true };
    const LEAST: Trail = Trail { patients: false, break_glass: false, ..ALL };

    #[test]
    fn questions() {
        let check = |trail: &Trail, text: &str, accepted: bool| {
            assert_eq!(Question::parse(trail, text).is_ok(), accepted, "{text}");
        };
        check(&ALL, "", true);
        check(&ALL, &format!("user={ID}&patient={ID}&action=READ&outcome=NOT_FOUND"), true);
        check(&ALL, "from=2024-01-01T00:00:00Z&to=2024-01-02T00:00:00%2B01:00", true);
        for network in ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32", "::1", "0.0.0.0/0"] {
            check(&LEAST, &format!("address={network}"), true);
        }
        check(&ALL, "breakGlass=true&limit=500", true);
        for wrong in [
            "user=ann",
            "patient=x",
            "action=read",
            "action=",
            "outcome=A%20B",
            "from=yesterday",
            "from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z",
            "breakGlass=yes",
            "limit=501",
            "role=ADMIN",
            "address=localhost",
            "address=192.0.2.0/33",
            "address=192.0.2.0/",
            "address=192.0.2.7:80",
        ] {
            check(&ALL, wrong, false);
        }
        check(&ALL, &format!("action={}", "A".repeat(33)), false);
        check(&LEAST, &format!("user={ID}"), true);
        check(&LEAST, &format!("patient={ID}"), false);
        check(&LEAST, "breakGlass=true", false);
    }

    #[test]
    fn each_condition_has_its_parameter() {
        let text = format!("patient={ID}&user={ID}&breakGlass=false");
        let statement = Question::parse(&ALL, &text).unwrap().statement();
        for part in [
            "seq < $7::bigint AND actor = $8::uuid",
            "AND (patient_id = $9::uuid OR shown @> ARRAY[$9::uuid])",
            "AND (break_glass IS NOT NULL) = $10::boolean",
        ] {
            assert!(statement.contains(part), "{part}: {statement}");
        }
        assert!(!statement.contains("/*"), "{statement}");
    }

    #[test]
    fn a_link_leads_on_for_the_same_question() {
        let seal = Seal::new(&[1; 32]).unwrap();
        let first = Question::parse(&ALL, &format!("user={ID}&limit=7")).unwrap();
        assert_eq!(first.before(&seal).unwrap(), i64::MAX);
        let link = first.next_link(&ALL, &seal, 42).unwrap();
        let link = link.to_str().unwrap().strip_prefix("</api/audit/x?").unwrap();
        let target = link.strip_suffix(">; rel=\"next\"").unwrap();
        let next = Question::parse(&ALL, target).unwrap();
        assert_eq!((next.before(&seal).unwrap(), next.limit), (42, 7));
        let other = target.replace(ID, "123e4567-e89b-12d3-a456-426614174001");
        assert!(Question::parse(&ALL, &other).unwrap().before(&seal).is_err());
        assert!(Question::parse(&ALL, "after=42").unwrap().before(&seal).is_err());
    }

    #[test]
    fn rows_are_written_as_the_api_writes() {
        let row = entry(r#"{"seq": 1, "row_count": 2, "break_glass": "x", "at": "t"}"#).unwrap();
        let expected = serde_json::json!({"seq": 1, "rowCount": 2, "breakGlass": "x", "at": "t"});
        assert_eq!(row, expected);
        assert!(entry("[]").is_none());
    }
}
