//! How the broker is reached, and how librdkafka is set up for the three things it is used for
//! here: producing, consuming, administration. What decides over order and loss is fixed; what is
//! needed to reach a broker comes from the manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, KafkaResult};

use super::ask::Quiet;
use super::{addresses, topics};
use crate::limits::{DELIVERY_MAX, RECORD_BYTES_MAX, SESSION_MAX};
use crate::log::{Health, Trouble};

/// A request larger than this is cut into several. Smaller than what any broker takes, so that a
/// refusal for size is about a record, not about its company.
const BATCH_BYTES_MAX: usize = 512 << 10;

/// How long a person waits for a look at a broker.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// What a look at a broker came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where the brokers say that they are.
    pub advertised: Vec<String>,
    /// Which of the topics are not there, as far as this user may know.
    pub missing: Vec<String>,
}

/// Which broker, and with what security settings.
#[derive(Clone)]
pub struct Connection {
    brokers: String,
    options: BTreeMap<String, String>,
    health: Arc<Health>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.options.keys();
        f.debug_struct("Connection")
            .field("brokers", &self.brokers)
            .field("options", &options)
            .finish()
    }
}

/// Why a broker cannot be reached with these settings.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionError {
    /// No address.
    #[error("the address of the Kafka broker is empty")]
    NoBroker,
    /// What cannot be one. It is not shown: there may be a password in it.
    #[error("the address of a Kafka broker {0}")]
    Address(&'static str),
    /// TLS or SCRAM, in a build without them.
    #[error("`{setting}` needs OpenSSL, and this ward was built without it")]
    NoTls {
        /// The client's setting.
        setting: String,
    },
    /// The client does not know the setting or its value; the value is not shown.
    #[error("the Kafka client cannot be set up: {0}")]
    Setting(String),
}

impl ConnectionError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::NoBroker | Self::Address(_) => {
                Some("give it as host:port, as `brokers` of the manifest or with --kafka-brokers")
            }
            Self::NoTls { .. } => Some(
                "build ward with `--features kafka-tls` (on Debian with libssl-dev and \
                 pkg-config); without it there are plain connections, with SASL PLAIN or no \
                 password",
            ),
            Self::Setting(_) => Some("docs/events.md lists what `client` takes, with an example"),
        }
    }
}

impl Connection {
    /// Checks the settings; nothing is connected yet. `brokers` is `host:port`, several with
    /// commas between; a port that is left out is 9092.
    pub fn new(
        brokers: &str,
        options: BTreeMap<String, String>,
    ) -> Result<Connection, ConnectionError> {
        let brokers = addresses::read(brokers).map_err(ConnectionError::Address)?;
        if brokers.is_empty() {
            return Err(ConnectionError::NoBroker);
        }
        if let Some(setting) =
            options.iter().find_map(asks_for_tls).filter(|_| !cfg!(feature = "tls"))
        {
            return Err(ConnectionError::NoTls { setting });
        }
        let connection =
            Connection { brokers, options, health: Arc::new(Health::new("the Kafka broker")) };
        connection.check()?;
        Ok(connection)
    }

    /// Has the client look at every setting. Its own words may quote a value, so only the name of
    /// the setting is passed on.
    fn check(&self) -> Result<(), ConnectionError> {
        for (name, value) in &self.options {
            let mut config = ClientConfig::new();
            config.set(name, value);
            if config.create_native_config().is_err() {
                return Err(ConnectionError::Setting(format!("it does not take this `{name}`")));
            }
            if name.starts_with("sasl.mechanism") && value.eq_ignore_ascii_case("OAUTHBEARER") {
                let reason = "nobody here fetches the tokens that OAUTHBEARER needs";
                return Err(ConnectionError::Setting(reason.to_owned()));
            }
        }
        // What does not go together: a mechanism without a password, a file that is not there. With
        // no address in it the client connects to nobody.
        let mut config = self.base();
        config.remove("bootstrap.servers");
        let client: KafkaResult<BaseConsumer<Quiet>> = config.create_with_context(Quiet::default());
        client.map(drop).map_err(|error| {
            ConnectionError::Setting(match error {
                KafkaError::ClientCreation(reason) => reason,
                // Other errors may end with a value.
                _ => "it does not take these settings".to_owned(),
            })
        })
    }

    /// The addresses, as they were given, with their ports.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Connects and asks for topics, for some seconds at most.
    pub async fn look(&self, topics: &[String]) -> Result<Seen, Trouble> {
        topics::look(self, topics, LOOK_MAX).await
    }

    /// Which of these topics, which are there, keep records for longer than those that ward makes
    /// to keep them for `keep`; or why that cannot be said.
    pub async fn keeping_longer(
        &self,
        topics: &[String],
        keep: Duration,
    ) -> Result<Vec<String>, String> {
        let longer = topics::keeping_longer(self, topics, keep, LOOK_MAX).await;
        longer.map_err(|error| error.to_string())
    }

    /// Whether the broker was there when it was last needed.
    pub(super) fn health(&self) -> &Arc<Health> {
        &self.health
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "ward")
            // A local broker is back within a second or two of its end.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("retry.backoff.ms", "50")
            .set("retry.backoff.max.ms", "1000")
            .set("socket.nagle.disable", "true")
            .set("log.connection.close", "false");
        for (name, value) in &self.options {
            config.set(name, value);
        }
        config
    }

    /// Administration: topics, groups.
    pub(super) fn admin(&self) -> ClientConfig {
        self.base()
    }

    /// Producing: acknowledged by all replicas, without duplicates of the client's own making, and
    /// with the partition that Java's clients would choose.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.base();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            // What comes while a request is on its way goes with the next.
            .set("linger.ms", "0")
            .set("batch.size", BATCH_BYTES_MAX.to_string())
            .set("message.max.bytes", RECORD_BYTES_MAX.to_string())
            .set("message.timeout.ms", DELIVERY_MAX.as_millis().to_string())
            .set("topic.metadata.refresh.interval.ms", "30000");
        config
    }

    /// Consuming as a group: positions are committed by hand, after the component's answer.
    pub(super) fn consumer(&self, group: &str, reset: &str) -> ClientConfig {
        let mut config = self.base();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", reset)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", SESSION_MAX.as_millis().to_string())
            .set("heartbeat.interval.ms", "1000")
            // The poll loop never waits for a component, so this only catches a loop that hangs.
            .set("max.poll.interval.ms", "300000")
            .set("allow.auto.create.topics", "false")
            // A broker answers when there is something.
            .set("fetch.wait.max.ms", "500")
            .set("fetch.error.backoff.ms", "100")
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.max.messages.kbytes", "16384")
            .set("topic.metadata.refresh.interval.ms", "30000");
        config
    }
}

/// The name of a setting that only works with TLS built in.
fn asks_for_tls((name, value): (&String, &String)) -> Option<String> {
    let upper = value.to_ascii_uppercase();
    let needs = match name.as_str() {
        "security.protocol" => upper.contains("SSL"),
        "sasl.mechanism" | "sasl.mechanisms" => {
            upper.starts_with("SCRAM") || upper == "OAUTHBEARER"
        }
        name => name.starts_with("ssl."),
    };
    // SASL over plain text is written SASL_PLAINTEXT, which has no SSL in it.
    needs.then(|| name.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Connection, ConnectionError};

    fn check(settings: &[(&str, &str)]) -> Result<(), ConnectionError> {
        let options =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Connection::new("127.0.0.1:9092", options.collect()).map(|_| ())
    }

    #[test]
    fn plain_passwords_need_no_tls() {
        let settings = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "ward"),
            ("sasl.password", "hunter2"),
        ];
        check(&settings).unwrap();
        let error = check(&settings[..3]).unwrap_err().to_string();
        assert!(error.contains("sasl.password"), "half of them is no set-up: {error}");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_is_refused_where_it_was_not_built_in() {
        for (name, value) in [
            ("security.protocol", "SASL_SSL"),
            ("security.protocol", "ssl"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("ssl.ca.location", "/ca.pem"),
        ] {
            let error = check(&[(name, value)]).unwrap_err();
            assert_eq!(error, ConnectionError::NoTls { setting: name.to_owned() });
            assert!(error.help().unwrap().contains("kafka-tls"));
        }
    }

    #[test]
    fn mistakes_are_named_without_their_values() {
        let error = check(&[("socket.timeout.ms", "hunter2")]).unwrap_err().to_string();
        assert!(error.contains("socket.timeout.ms") && !error.contains("hunter2"), "{error}");
        assert_eq!(Connection::new(" ", BTreeMap::new()).unwrap_err(), ConnectionError::NoBroker);
    }

    #[test]
    fn debug_shows_no_passwords() {
        let options = BTreeMap::from([("sasl.password".to_owned(), "hunter2".to_owned())]);
        let shown = format!("{:?}", Connection::new("h:1", options).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
