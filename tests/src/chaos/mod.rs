//! Chaos: clients change patients while ward, its PostgreSQL and, where there is one, its Kafka
//! broker are killed and frozen, in turn and together. Afterwards every accepted change has to be
//! everywhere, once and in order.
//! What the clients were told is the ledger; what the databases and the topic say is compared to
//! it.

mod check;
mod faults;
mod load;

use std::time::Duration;

use test_broker::TestBroker;
use tokio::time::sleep;

use crate::{Options, Random, Ward};
pub use check::{Ledger, when_quiet};
pub use load::{Load, Told};

/// How much of it.
#[derive(Debug, Clone)]
pub struct Chaos {
    /// Rounds, each with one fault.
    pub rounds: u32,
    /// Changes a second, over all clients.
    pub rate: u32,
    /// Clients at a time.
    pub clients: u32,
    /// Whether events go through Kafka, rather than through PostgreSQL.
    pub kafka: bool,
}

/// The longest time between two faults.
const BETWEEN_MAX_MS: u64 = 2500;

impl Chaos {
    /// Runs it all and returns the ledger, which says what was lost or doubled. A seed is printed;
    /// `WARD_TEST_SEED` repeats the choice of faults.
    pub async fn run(&self) -> Ledger {
        let mut random = Random::seeded("chaos");
        let kafka = match self.kafka {
            true => Some(Kafka::start().await),
            false => None,
        };
        let arguments = kafka.iter().flat_map(Kafka::arguments).collect();
        let mut ward = Ward::start(Options { arguments, ..Options::default() });
        let load = Load::start((self.rate, self.clients), &ward);
        for round in 1..=self.rounds {
            sleep(Duration::from_millis(200 + random.below(BETWEEN_MAX_MS))).await;
            let fault = faults::Fault::choose(&mut random, self.kafka);
            println!("round {round}: {fault}");
            fault.happen(&mut ward, kafka.as_ref(), &mut random).await;
            load.went_to(&ward);
        }
        sleep(Duration::from_secs(1)).await;
        // What an outage refused is no loss.
        let told = load.stop().await.told;
        when_quiet(&ward, &told).await
    }
}

/// A Kafka broker, and the ward whose PostgreSQL has its records: one that no fault meets.
pub(crate) struct Kafka {
    broker: TestBroker,
    _storage: Ward,
}

impl Kafka {
    async fn start() -> Kafka {
        let storage = Ward::start(Options::default());
        // Any that has no tables of the same names.
        let url = storage.database_url("auth");
        let broker = TestBroker::start(&url).await.expect("a broker starts");
        Kafka { broker, _storage: storage }
    }

    /// What tells ward of it.
    fn arguments(&self) -> [String; 2] {
        ["--kafka-brokers".to_owned(), self.broker.address()]
    }
}
