//! Clients that create, update and delete patients, and keep a ledger of what they were told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::{Answer, Api, Patient, Ward, claims};

/// How long a client waits for an answer: longer than anything is frozen.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The patients one client looks after at a time.
const PATIENTS_MAX: usize = 30;

/// The changes that clients were told are accepted: patient to the versions they saw.
pub type Told = BTreeMap<String, Vec<i64>>;

/// What clients heard of their changes.
#[derive(Debug, Default)]
pub struct Said {
    /// Those that are accepted.
    pub told: Told,
    /// Those that are not, and that nobody answered: each named.
    pub refused: Vec<String>,
}

/// Running clients.
pub struct Load {
    clients: JoinSet<Said>,
    stop: Arc<AtomicBool>,
    /// Where ward answers now; it has another port after each start.
    api: Arc<Mutex<Api>>,
}

impl Load {
    /// So many changes a second, over so many clients.
    pub fn start((rate, count): (u32, u32), ward: &Ward) -> Load {
        let api = Arc::new(Mutex::new(client(ward)));
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        let pause = Duration::from_secs(1) * count / rate;
        for number in 0..count {
            let (patients, said) = (Vec::new(), Said::default());
            let client = Client { api: api.clone(), patients, said };
            clients.spawn(client.run(number, pause, stop.clone()));
        }
        Load { clients, stop, api }
    }

    /// Ward was started again.
    pub fn went_to(&self, ward: &Ward) {
        *self.api.lock().expect("nobody panics with it") = client(ward);
    }

    /// Lets every client finish what it is doing, and adds up what they were told.
    pub async fn stop(mut self) -> Said {
        self.stop.store(true, Ordering::Relaxed);
        let mut said = Said::default();
        while let Some(own) = self.clients.join_next().await {
            let own = own.expect("a client goes on whatever it is answered");
            said.told.extend(own.told);
            said.refused.extend(own.refused);
        }
        said
    }
}

fn client(ward: &Ward) -> Api {
    ward.api().with_token(&ward.forge().sign(&claims()))
}

struct Client {
    api: Arc<Mutex<Api>>,
    patients: Vec<(String, i64)>,
    said: Said,
}

impl Client {
    async fn run(mut self, number: u32, pause: Duration, stop: Arc<AtomicBool>) -> Said {
        let mut next = Instant::now() + pause * number / 4;
        let mut turn = u64::from(number);
        while !stop.load(Ordering::Relaxed) {
            sleep_until(next).await;
            // What an outage held up is not made up for: the load stays bounded.
            next = next.max(Instant::now() - pause) + pause;
            turn += 1;
            match turn % 10 {
                0..=3 => self.create().await,
                9 => self.delete(turn).await,
                _ => self.update(turn).await,
            }
        }
        self.said
    }

    fn api(&self) -> Api {
        self.api.lock().expect("nobody panics with it").clone()
    }

    async fn create(&mut self) {
        let body = Patient::unique().json();
        let request = self.api().request("POST", "/api/patients").json(&body);
        if let Some(answer) = self.ask(request, 201).await {
            let id = answer.json()["id"].as_str().expect("an id").to_owned();
            self.said.told.insert(id.clone(), vec![1]);
            self.patients.push((id, 1));
        }
        if self.patients.len() > PATIENTS_MAX {
            self.patients.remove(0);
        }
    }

    async fn update(&mut self, turn: u64) {
        let Some((id, version)) = self.pick(turn) else { return };
        let path = format!("/api/patients/{id}");
        let request = self
            .api()
            .request("PUT", &path)
            .header("if-match", "*")
            .json(&Patient::unique().json());
        // Whoever was not answered does not know the version any more, and leaves the patient be.
        let Some(answer) = self.ask(request, 200).await else { return };
        let tag = answer.headers.get("etag").and_then(|tag| tag.to_str().ok());
        let tag = tag.map(|tag| tag.trim_start_matches("W/").trim_matches('"'));
        let next = tag.and_then(|tag| tag.parse().ok()).unwrap_or(version + 1);
        self.said.told.entry(id.clone()).or_default().push(next);
        self.patients.push((id, next));
    }

    async fn delete(&mut self, turn: u64) {
        let Some((id, version)) = self.pick(turn) else { return };
        let request = self.api().request("DELETE", &format!("/api/patients/{id}"));
        let request = request.header("if-match", "*");
        if self.ask(request, 204).await.is_some() {
            self.said.told.entry(id).or_default().push(version + 1);
        }
    }

    /// The answer, if it is what was wanted.
    async fn ask(&mut self, request: reqwest::RequestBuilder, wanted: u16) -> Option<Answer> {
        match Answer::try_of(request.timeout(ANSWER_MAX)).await {
            Ok(answer) if answer.status == wanted => return Some(answer),
            Ok(answer) => self.said.refused.push(format!("{wanted} wanted: {answer:?}")),
            Err(error) => self.said.refused.push(format!("{wanted} wanted: {error:?}")),
        }
        None
    }

    fn pick(&mut self, turn: u64) -> Option<(String, i64)> {
        let count = u64::try_from(self.patients.len()).ok().filter(|count| *count > 0)?;
        Some(self.patients.swap_remove(usize::try_from(turn.wrapping_mul(7) % count).ok()?))
    }
}
