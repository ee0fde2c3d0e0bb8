//! What the manifest says of Kafka: defaults, references, and what is refused.

use std::path::Path;

use expect_test::{Expect, expect};
use ward_manifest::{App, KafkaSettings};

use crate::fold::fold;

/// A manifest in order, which ends inside `[application.trigger.kafka]`.
const BASE: &str = r#"spin_manifest_version = 2
application.name = "app"
[variables]
kafka_brokers = { default = "" }
password = { required = true, secret = true }
db_url = { required = true, secret = true }
[component.patients]
source = "patients.wasm"
tool.ward.database = { name = "patients", variable = "db_url", migrations = "m" }
[component.analytics]
source = "analytics.wasm"
[application.trigger.kafka]
brokers = "{{ kafka_brokers }}"
"#;

/// The least that both kinds of entries take.
const ENTRIES: &str = r#"
[[application.trigger.kafka.outbox]]
component = "patients"
topic = "patient"
interface = "pms:patients/events@1.0.0"
record = "patient-event"
key = "patient-id"
[[trigger.kafka]]
topic = "patient"
group = "analytics"
component = "analytics"
interface = "pms:patients/consumer@1.0.0"
"#;

fn check(rest: &str, expected: Expect) {
    let text = format!("{BASE}{rest}");
    let shown = match App::read(Path::new("dir/spin.toml"), &text) {
        Ok(app) => format!("{:#?}\n{:#?}", app.kafka, app.kafka_triggers),
        Err(findings) => findings.to_string(),
    };
    expected.assert_eq(&fold(&shown));
}

#[test]
fn defaults_are_filled_in() {
    check(
        ENTRIES,
        expect![[r#"
            Some(
                KafkaSettings {
                    brokers: "{{ kafka_brokers }}",
                    client: [],
                    contracts: "dir/wit",
                    partitions: 6,
                    replicas: 1,
                    keep_records: 604800s,
                    keep_published: 86400s,
                    essential: false,
                    outboxes: [
                        Outbox {
                            component: "patients",
                            topic: "patient",
                            interface: "pms:patients/events@1.0.0",
                            record: "patient-event",
                            key: "patient-id",
                            source: "/patients",
                            erased_by: [],
                        },
                    ],
                },
            )
            [
                KafkaTrigger {
                    id: "analytics-kafka-trigger",
                    component: "analytics",
                    interface: "pms:patients/consumer@1.0.0",
                    function: "consume",
                    topics: [
                        "patient",
                    ],
                    group: "analytics",
                    from: Earliest,
                    batch_records_max: 500,
                    batch_wait: 0ns,
                    concurrency: 4,
                    retries: 8,
                    patience: 600s,
                    dead_letter: None,
                },
            ]"#]],
    );
}

#[test]
fn types_of_events_may_erase() {
    let read = |types: &str| {
        let key = "key = \"patient-id\"";
        let entries = ENTRIES.replacen(key, &format!("{key}\nerased_by = {types}"), 1);
        App::read(Path::new("dir/spin.toml"), &format!("{BASE}{entries}"))
    };
    let app = read("[\"PATIENT_ERASED\"]").unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(app.kafka.unwrap().outboxes[0].erased_by, ["PATIENT_ERASED"]);
    let flaw = read("[\" \"]").unwrap_err().to_string();
    assert!(flaw.contains("an event without a type erases nothing"), "{flaw}");
}

/// Every key there is.
const EVERYTHING: &str = r#"
client = { "security.protocol" = "SASL_SSL", "sasl.password" = "{{ password }}" }
contracts = "contracts"
partitions = 12
replicas = 3
keep_published = "1h"
[[trigger.kafka]]
id = "own"
topics = ["a", "b"]
group = "g"
component = "analytics"
interface = "x:y/z@1.0.0"
function = "take-all"
from = "latest"
batch_size = 10000
batch_time = "20ms"
concurrency = 2
retries = 3
patience = "1m"
dead_letter = "all.dead"
[[trigger.kafka]]
topic = "a"
group = "other"
component = "analytics"
interface = "x:y/z@1.0.0"
"#;

#[test]
fn everything_can_be_said() {
    check(
        EVERYTHING,
        expect![[r#"
            Some(
                KafkaSettings {
                    brokers: "{{ kafka_brokers }}",
                    client: [
                        "sasl.password",
                        "security.protocol",
                    ],
                    contracts: "dir/contracts",
                    partitions: 12,
                    replicas: 3,
                    keep_records: 604800s,
                    keep_published: 3600s,
                    essential: false,
                    outboxes: [],
                },
            )
            [
                KafkaTrigger {
                    id: "own",
                    component: "analytics",
                    interface: "x:y/z@1.0.0",
                    function: "take-all",
                    topics: [
                        "a",
                        "b",
                    ],
                    group: "g",
                    from: Latest,
                    batch_records_max: 10000,
                    batch_wait: 20ms,
                    concurrency: 2,
                    retries: 3,
                    patience: 60s,
                    dead_letter: Some(
                        "all.dead",
                    ),
                },
                KafkaTrigger {
                    id: "analytics-kafka-trigger",
                    component: "analytics",
                    interface: "x:y/z@1.0.0",
                    function: "consume",
                    topics: [
                        "a",
                    ],
                    group: "other",
                    from: Earliest,
                    batch_records_max: 500,
                    batch_wait: 0ns,
                    concurrency: 4,
                    retries: 8,
                    patience: 600s,
                    dead_letter: None,
                },
            ]"#]],
    );
}

#[test]
fn references_lead_somewhere() {
    check(
        r#"
client = { "sasl.password" = "{{ pasword }}" }
[[application.trigger.kafka.outbox]]
component = "patient"
topic = "patient"
interface = "pms:patients/events@1.0.0"
record = "patient-event"
key = "patient-id"
[[application.trigger.kafka.outbox]]
component = "analytics"
topic = "patient"
interface = "pms:patients/events@1.0.0"
record = "patient-event"
key = "patient-id"
[[trigger.kafka]]
id = "same"
topic = "patient"
group = "analytics"
component = "analitics"
interface = "pms:patients/consumer@1.0.0"
[[trigger.kafka]]
id = "same"
topics = ["other", "patient"]
group = "analytics"
component = "analytics"
interface = "pms:patients/consumer@1.0.0"
"#,
        expect![[r#"
            dir/spin.toml:15:30: there is no variable `pasword` in [variables]
              15 | client = { "sasl.password" = "{{ pasword }}" }
              help: did you mean `password`?
            dir/spin.toml:17:13: there is no component `patient`
              17 | component = "patient"
              help: did you mean `patients`?
            dir/spin.toml:23:13: `analytics` has no database of its own, so it has no
            … outbox
              23 | component = "analytics"
              help: give it [component.analytics.tool.ward.database]
            dir/spin.toml:32:13: there is no component `analitics`
              32 | component = "analitics"
              help: did you mean `analytics`?
            dir/spin.toml:35:6: two triggers have the id `same`
              35 | id = "same"
            dir/spin.toml:38:13: two triggers consume `patient` as the group `analytics`
              38 | component = "analytics"
              help: give each its own group, or each would get a part of the records"#]],
    );
}

/// One mistake or two in each place.
const WRONG: &str = r#"
client = { "enable.idempotence" = "false" }
partitions = 0
outbox = [{ component = "patients", topic = "a/b", interface = "events", record = "A", key = "" }]
[[trigger.kafka]]
topic = "x"
topics = []
group = " "
component = "analytics"
interface = "pms:patients"
from = "now"
batch_size = 10001
batch_time = "5"
retries = 0
dead_letter = ""
[[trigger.kafka]]
topic = "x"
dead_letter = "x"
bach_size = 5
"#;

#[test]
fn names_and_numbers_are_checked() {
    check(
        WRONG,
        expect![[r#"
            dir/spin.toml:15:12: `enable.idempotence` is not a setting that can be made
            … here
              15 | client = { "enable.idempotence" = "…" }
              help: what can be set is how the broker is reached: security.protocol,
            … sasl.…, ssl.…, socket.…; write such names in quotes
            dir/spin.toml:16:14: `partitions` must be at least 1 and fit 32 bits
              16 | partitions = 0
            dir/spin.toml:17:45: "a/b" cannot name a topic
              17 | outbox = [{ component = "patients", topic = "a/b", interface = "events",
            … record = "A", key = "" }]
              help: use letters, digits, dots, dashes and underscores, 249 at most
            dir/spin.toml:17:64: "events" is no WIT interface
              17 | outbox = [{ component = "patients", topic = "a/b", interface = "events",
            … record = "A", key = "" }]
              help: write package, interface and version, as in "shop:orders/events@1.0.0"
            dir/spin.toml:17:94: "" is no name in WIT: it must not be empty
              17 | outbox = [{ component = "patients", topic = "a/b", interface = "events",
            … record = "A", key = "" }]
            dir/spin.toml:20:1: a trigger has a `topic` or `topics`, not both
              20 | topics = []
            dir/spin.toml:20:1: a trigger without a topic would never run
              20 | topics = []
            dir/spin.toml:21:9: a consumer group needs a name
              21 | group = " "
            dir/spin.toml:23:13: "pms:patients" is no WIT interface
              23 | interface = "pms:patients"
              help: write package, interface and version, as in "shop:orders/events@1.0.0"
            dir/spin.toml:24:8: `from` cannot be "now"
              24 | from = "now"
              help: write "earliest" (the default) or "latest"
            dir/spin.toml:25:14: `batch_size` is at most 10000
              25 | batch_size = 10001
            dir/spin.toml:26:14: `batch_time` must be a duration, and "5" is none
              26 | batch_time = "5"
              help: write a number with ms, s, m or h, as in "30s"
            dir/spin.toml:27:11: `retries` must be at least 1 and fit 32 bits
              27 | retries = 0
            dir/spin.toml:28:15: "" cannot name a topic
              28 | dead_letter = ""
              help: use letters, digits, dots, dashes and underscores, 249 at most
            dir/spin.toml:29:1: `component` is missing here; it must be a string
              29 | [[trigger.kafka]]
            dir/spin.toml:29:1: `interface` is missing here; it must be a string
              29 | [[trigger.kafka]]
            dir/spin.toml:29:1: `group` is missing here; it must be a string
              29 | [[trigger.kafka]]
            dir/spin.toml:31:15: what cannot be consumed must not go where it came from
              31 | dead_letter = "x"
            dir/spin.toml:32:1: unknown key `bach_size`
              32 | bach_size = 5
              help: did you mean `batch_size`?"#]],
    );
}

#[test]
fn a_trigger_needs_to_know_its_broker() {
    let text = BASE.split("[application.trigger.kafka]").next().unwrap_or_default();
    let text = format!("{text}[[trigger.kafka]]\ntopic = 'x'\n");
    let findings = App::read(Path::new("spin.toml"), &text).unwrap_err();
    expect![[r#"
        spin.toml:12:1: `component` is missing here; it must be a string
          12 | [[trigger.kafka]]
        spin.toml:12:1: `interface` is missing here; it must be a string
          12 | [[trigger.kafka]]
        spin.toml:12:1: `group` is missing here; it must be a string
          12 | [[trigger.kafka]]
        spin.toml:12:11: there are kafka triggers and no [application.trigger.kafka]
          12 | [[trigger.kafka]]
          help: add it, with brokers = "{{ brokers }}""#]]
    .assert_eq(&fold(&findings.to_string()));
}

#[test]
fn a_setting_without_quotes_is_explained() {
    let text = format!("{BASE}[application.trigger.kafka.client]\nsasl.password = 'hunter2'\n");
    let findings = App::read(Path::new("spin.toml"), &text).unwrap_err();
    expect![[r#"
        spin.toml:1:1: the application has no trigger, so nothing would ever run
          1 | spin_manifest_version = 2
          help: add a [[trigger.http]] with a route and a component
        spin.toml:15:1: `sasl` is a table here, because of the dot after it
          15 | sasl.password = "…"
          help: write the whole name in quotes: "sasl.…" = …"#]]
    .assert_eq(&fold(&findings.to_string()));
}

#[test]
fn the_variables_of_a_broker_are_known() {
    let client = "client = { 'sasl.username' = 'ward', 'sasl.password' = '{{ password }}' }";
    let text = format!("{BASE}{client}\n{ENTRIES}");
    let kafka = App::read(Path::new("spin.toml"), &text).unwrap().kafka.unwrap();
    assert_eq!(Vec::from_iter(kafka.broker_variables()), ["kafka_brokers"]);
    assert_eq!(kafka.broker_variable().as_deref(), Some("kafka_brokers"));
    for brokers in ["{{ kafka_brokers }}:9092", "{{ kafka_brokers }},{{ kafka_brokers }}", "a:1"] {
        let settings = KafkaSettings { brokers: brokers.to_owned(), ..kafka.clone() };
        assert_eq!(settings.broker_variable(), None, "{brokers}");
    }
    assert_eq!(Vec::from_iter(kafka.client_variables()), ["password"]);
}

#[test]
fn passwords_written_out_are_not_shown() {
    let rest = "client = { 'sasl.password' = 'hunter2', 'acks' = 'hunter2' }\n";
    let text = format!("{BASE}{rest}");
    let findings = App::read(Path::new("spin.toml"), &text).unwrap_err().to_string();
    assert!(findings.contains("`acks`") && !findings.contains("hunter2"), "{findings}");
    let text = format!("{BASE}client = {{ 'sasl.password' = 'hunter2' }}\n{ENTRIES}");
    let shown = format!("{:?}", App::read(Path::new("spin.toml"), &text).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}
