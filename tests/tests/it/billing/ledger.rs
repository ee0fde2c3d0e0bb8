//! The law of the ledger, under random operations from several clients while ward is killed: the
//! sum over all postings is zero, a balance is the sum of its account's entries, and what was
//! answered is there, once. `WARD_TEST_SEED` repeats the operations, though not their timing.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use ward_tests::{Answer, Api, Database, Options, Random, Ward};

use super::{ACCOUNTS, booking, open, unique_id, voiding};

/// Clients at once.
const CLIENTS: usize = 6;
/// Accounts, few enough for the clients to meet.
const ACCOUNT_COUNT: usize = 4;

/// What the clients know: each request that was sent, and whether it was answered with an entry.
#[derive(Default)]
struct Known {
    /// By the entry's id: the account, the path below it, the body, and the answer if one came.
    sent: BTreeMap<String, (String, &'static str, Value, Option<Value>)>,
}

#[tokio::test]
async fn the_books_balance_whatever_happens() {
    let mut random = Random::seeded("ledger");
    let mut ward = Ward::start(Options::demo());
    let api = ward.user().await;
    let mut accounts = Vec::new();
    for _ in 0..ACCOUNT_COUNT {
        accounts.push(open(&api).await);
    }
    let known = Arc::new(Mutex::new(Known::default()));
    for round in 0..3 {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let client = Client {
                    api: moved(&api, &ward),
                    accounts: accounts.clone(),
                    known: Arc::clone(&known),
                    random: random.split(),
                };
                tokio::spawn(client.work())
            })
            .collect();
        let enough = answered(&known) + 60 + random.below(60) as usize;
        while answered(&known) < enough {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        ward.kill();
        for client in clients {
            client.await.expect("a client ends in order");
        }
        ward.start_again();
        println!("round {round}: {} requests answered with an entry", answered(&known));
        let database = ward.database("billing").await;
        books_balance(&database).await;
        what_was_answered_is_there(&database, &known).await;
    }
    what_was_sent_can_be_sent_again(&moved(&api, &ward), &known).await;
    books_balance(&ward.database("billing").await).await;
    assert!(ward.stop().success(), "{}", ward.log());
}

/// A client with the same token at the address that ward has now.
fn moved(api: &Api, ward: &Ward) -> Api {
    ward.api().with_token(api.token())
}

fn answered(known: &Mutex<Known>) -> usize {
    let known = known.lock().expect("no panic");
    known.sent.values().filter(|(.., answer)| answer.is_some()).count()
}

/// One client, which goes on until ward is gone.
struct Client {
    api: Api,
    accounts: Vec<String>,
    known: Arc<Mutex<Known>>,
    random: Random,
}

impl Client {
    async fn work(mut self) {
        loop {
            let (account, what, body) = self.operation();
            let id = body["id"].as_str().expect("an id").to_owned();
            self.remember(&id, (account.clone(), what, body.clone(), None));
            let path = format!("{ACCOUNTS}/{account}/{what}");
            let request = self.api.request("POST", &path).json(&body);
            let Ok(answer) = Answer::try_of(request).await else { return };
            match answer.status {
                200 | 201 => self.remember(&id, (account, what, body, Some(answer.json()))),
                // Undone before, or out of order with another client; or ward is going down.
                404 | 409 | 503 => {}
                _ => panic!("{what}: {answer:?}"),
            }
        }
    }

    /// Mostly something new; at times a request that was sent before, exactly as it was.
    fn operation(&mut self) -> (String, &'static str, Value) {
        let account = self.accounts[self.random.below(ACCOUNT_COUNT as u64) as usize].clone();
        let amount = 1 + self.random.below(1_000_000) as i64;
        let earlier = self.earlier();
        match (self.random.below(10), earlier) {
            (0..4, _) | (_, None) => (account, "charges", booking(amount)),
            (4..6, _) => (account, "payments", booking(amount)),
            (6, _) => (account, "refunds", booking(amount)),
            (7..9, Some((account, _, body))) => (account, "voids", voiding(&body)),
            (_, Some(again)) => again,
        }
    }

    fn earlier(&mut self) -> Option<(String, &'static str, Value)> {
        let known = self.known.lock().expect("no panic");
        let place = self.random.below(known.sent.len().max(1) as u64) as usize;
        let (account, what, body, _) = known.sent.values().nth(place)?;
        Some((account.clone(), *what, body.clone()))
    }

    /// An answer that came is not forgotten because a later one did not.
    fn remember(&self, id: &str, sent: (String, &'static str, Value, Option<Value>)) {
        let mut known = self.known.lock().expect("no panic");
        let before = known.sent.get(id).and_then(|(.., answer)| answer.clone());
        if let (Some(before), Some(now)) = (&before, &sent.3) {
            assert_eq!(before, now, "one id, one entry");
        }
        let (account, what, body, now) = sent;
        known.sent.insert(id.to_owned(), (account, what, body, before.or(now)));
    }
}

async fn books_balance(database: &Database) {
    let none: Vec<Value> = Vec::new();
    for (law, query) in [
        (
            "the sum over all postings is zero",
            "SELECT 1 FROM (SELECT coalesce(sum(amount), 0) AS total FROM postings) AS p \
             WHERE total <> 0",
        ),
        (
            "an entry has two sides that cancel out, one of them its amount",
            "SELECT e.id FROM entries e LEFT JOIN postings p ON p.entry_id = e.id \
             GROUP BY e.id, e.amount HAVING count(p.entry_id) <> 2 OR sum(p.amount) <> 0 \
             OR sum(p.amount) FILTER (WHERE p.ledger = 'RECEIVABLE') IS DISTINCT FROM e.amount",
        ),
        (
            "a balance is the sum of its entries",
            "SELECT a.id FROM accounts a LEFT JOIN entries e ON e.account_id = a.id \
             GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(e.amount), 0)",
        ),
        (
            "a change, its event and its audit row are one",
            "SELECT e.id FROM entries e \
             LEFT JOIN outbox o ON o.aggregate_id = e.account_id \
                 AND o.aggregate_version = e.account_version \
                 AND o.payload -> 'entry' ->> 'id' = e.id::text \
             LEFT JOIN audit_log l ON l.entry_id = e.id AND l.outcome = 'SUCCESS' \
             WHERE e.id::text NOT LIKE 'e1111111-%' \
             GROUP BY e.id HAVING count(DISTINCT o.id) <> 1 OR count(DISTINCT l.seq) <> 1",
        ),
        (
            "no more is given back than was paid",
            "SELECT e.account_id FROM entries e JOIN postings p ON p.entry_id = e.id \
             WHERE p.ledger = 'CASH' GROUP BY e.account_id HAVING sum(p.amount) < 0",
        ),
        (
            "versions have no gaps",
            "SELECT a.id FROM accounts a JOIN entries e ON e.account_id = a.id \
             GROUP BY a.id, a.version HAVING a.version <> count(*) + 1",
        ),
    ] {
        assert_eq!(database.rows(query, &[]).await, none, "{law}");
    }
}

async fn what_was_answered_is_there(database: &Database, known: &Mutex<Known>) {
    let rows = database.rows("SELECT id, account_id, amount FROM entries", &[]).await;
    let rows: BTreeMap<&str, &Value> =
        rows.iter().map(|row| (row["id"].as_str().expect("an id"), row)).collect();
    let known = known.lock().expect("no panic");
    for (id, (account, _, _, answer)) in &known.sent {
        let Some(answer) = answer else { continue };
        let row = rows.get(id.as_str()).unwrap_or_else(|| panic!("{id} was answered and is gone"));
        assert_eq!(row["account_id"], *account);
        assert_eq!(row["amount"], answer["amount"]["minorUnits"]);
    }
    // Nothing is there that was never asked for.
    let demo = |id: &str| id.starts_with("e1111111-");
    assert!(rows.keys().all(|id| known.sent.contains_key(*id) || demo(id)));
}

/// A client that never got its answer asks again, and gets the same as one that did.
async fn what_was_sent_can_be_sent_again(api: &Api, known: &Mutex<Known>) {
    let sent: Vec<_> = {
        let known = known.lock().expect("no panic");
        known.sent.values().cloned().collect()
    };
    for (account, what, body, answer) in sent {
        let again = super::post(api, &account, what, &body).await;
        match answer {
            Some(answer) => assert_eq!((again.status, again.json()), (200, answer), "{body}"),
            None => assert!(matches!(again.status, 200 | 201 | 404 | 409), "{again:?}"),
        }
    }
    let unknown = json!({"id": unique_id()});
    let account = open(api).await;
    super::post(api, &account, "voids", &voiding(&unknown)).await.problem(404);
}
