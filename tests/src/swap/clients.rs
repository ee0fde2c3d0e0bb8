//! Clients that read without a pause, each over a connection that it keeps: what they are answered
//! has to be what they asked for.

use std::fmt;
use std::mem::take;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{Answer, Api, Grpc, Patient, Ward, claims};

/// Patients that are asked for.
const PATIENTS: usize = 8;

/// For how long a token is used; it is good for longer.
const TOKEN_USED: Duration = Duration::from_secs(300);

/// What clients heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// Answers that were right.
    pub right: usize,
    /// What the others were.
    pub wrong: Vec<String>,
    took: Vec<Duration>,
}

impl Heard {
    /// How long 99 of 100 answers took at most.
    pub(super) fn p99(&self) -> Duration {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * 99 / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).copied().unwrap_or_default()
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} right, {} wrong, {}", self.right, self.wrong.len(), super::spread(&self.took))
    }
}

/// Clients at work.
pub(super) struct Clients {
    tasks: JoinSet<()>,
    heard: Arc<Mutex<Heard>>,
    stop: Arc<AtomicBool>,
}

impl Clients {
    /// So many, over HTTP and, one of four, over gRPC.
    pub(super) async fn start(count: u32, ward: &Ward) -> Clients {
        let (heard, stop) = (Arc::default(), Arc::default());
        let api = trusted(ward);
        let mut patients = Vec::new();
        for _ in 0..PATIENTS {
            let body = api.created(&Patient::unique().json()).await;
            patients.push(body["id"].as_str().expect("an id").to_owned());
        }
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let reader = Reader {
                gateway: ward.gateway().to_owned(),
                grpc: ward.listener("grpc").expect("a gRPC listener").to_owned(),
                sign: signer(ward),
                patients: patients.clone(),
                heard: Arc::clone(&heard),
                stop: Arc::clone(&stop),
            };
            tasks.spawn(async move {
                match number % 4 {
                    3 => reader.over_grpc().await,
                    _ => reader.over_http().await,
                }
            });
        }
        Clients { tasks, heard, stop }
    }

    /// What was heard since somebody asked last.
    pub(super) fn heard(&self) -> Heard {
        take(&mut *self.heard.lock().expect("nobody panics with it"))
    }

    /// Lets each finish what it is doing; what was heard.
    pub(super) async fn stop(mut self) -> Heard {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a client goes on whatever it is answered");
        }
        self.heard()
    }
}

type Sign = Arc<dyn Fn() -> String + Send + Sync>;

fn signer(ward: &Ward) -> Sign {
    let forge = ward.forge().clone();
    Arc::new(move || forge.sign(&claims()))
}

fn trusted(ward: &Ward) -> Api {
    ward.api().with_token(&ward.forge().sign(&claims()))
}

struct Reader {
    gateway: String,
    grpc: String,
    sign: Sign,
    patients: Vec<String>,
    heard: Arc<Mutex<Heard>>,
    stop: Arc<AtomicBool>,
}

impl Reader {
    async fn over_http(self) {
        let open = Api::new(&self.gateway);
        let (mut api, mut since) = (open.with_token(&(self.sign)()), Instant::now());
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            if since.elapsed() > TOKEN_USED {
                (api, since) = (open.with_token(&(self.sign)()), Instant::now());
            }
            let id = self.patient(turn);
            let (path, says) = match turn % 5 {
                0 => ("/api/analytics/summary".to_owned(), "patients"),
                1 => ("/api-docs/patients".to_owned(), "openapi"),
                2 => (format!("/api/billing/patients/{id}/account"), id),
                _ => (format!("/api/patients/{id}"), id),
            };
            let began = Instant::now();
            let answer = Answer::try_of(api.request("GET", &path)).await;
            self.note(began, || match answer {
                Ok(answer) if answer.status == 200 && answer.body.contains(says) => Ok(()),
                Ok(answer) => Err(format!("{path}: {answer:?}")),
                Err(error) => Err(format!("{path}: {error:?}")),
            });
        }
    }

    async fn over_grpc(self) {
        let open = Grpc::connect(&self.grpc).await;
        let (mut grpc, mut since) = (open.with_token(&(self.sign)()), Instant::now());
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            if since.elapsed() > TOKEN_USED {
                (grpc, since) = (open.with_token(&(self.sign)()), Instant::now());
            }
            let id = self.patient(turn);
            let began = Instant::now();
            let method = "pms.billing.v1.Accounts/GetPatientAccount";
            let answer = grpc.call(method, &json!({"patientId": id})).await;
            self.note(began, || match answer {
                Ok(answer) if answer.to_string().contains(id) => Ok(()),
                other => Err(format!("{method}: {other:?}")),
            });
        }
    }

    fn patient(&self, turn: usize) -> &str {
        self.patients.get(turn % PATIENTS).expect("so many")
    }

    fn note(&self, began: Instant, answer: impl FnOnce() -> Result<(), String>) {
        let (took, answer) = (began.elapsed(), answer());
        let mut heard = self.heard.lock().expect("nobody panics with it");
        heard.took.push(took);
        match answer {
            Ok(()) => heard.right += 1,
            Err(wrong) => heard.wrong.push(wrong),
        }
    }
}
