//! `[application.trigger.kafka]` and `[[trigger.kafka]]`: read on their own first, then their
//! references looked up. Real Spin leaves the first alone and hands the second to its plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::app::Component;
use crate::kafka::{KafkaSettings, KafkaTrigger, Outbox, StartFrom};
use crate::names::{advice, kebab_flaw};
use crate::toml_file::{Report, Section, Span, Text, Value};

use super::tool::{duration_at, positive};

const SETTINGS_KEYS: &[&str] = &[
    "brokers",
    "client",
    "contracts",
    "partitions",
    "replicas",
    "keep_records",
    "keep_published",
    "essential",
    "outbox",
];

const OUTBOX_KEYS: &[&str] =
    &["component", "topic", "interface", "record", "key", "source", "erased_by"];

const TRIGGER_KEYS: &[&str] = &[
    "id",
    "component",
    "interface",
    "function",
    "topic",
    "topics",
    "group",
    "from",
    "batch_size",
    "batch_time",
    "concurrency",
    "retries",
    "patience",
    "dead_letter",
];

/// Room for replicas: a partition is read by one of them, and events of one key stay in order only
/// for as long as the number is not changed.
const PARTITIONS: u32 = 6;
const REPLICAS: u32 = 1;
/// Kafka's own default.
const KEEP_RECORDS: Duration = Duration::from_secs(7 * 24 * 3600);
const KEEP_PUBLISHED: Duration = Duration::from_secs(24 * 3600);
const BATCH_RECORDS_MAX: u32 = 500;
const CONCURRENCY: u32 = 4;
const RETRIES: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(600);

/// More in one call would only make its repetition dearer.
const BATCH_RECORDS_LIMIT: u32 = 10_000;
/// Kafka's own limit on the length of a topic's name.
const TOPIC_LENGTH_MAX: usize = 249;

/// Client settings that are the user's to make: how the broker is reached and who we are to it.
/// What decides over order and loss is Ward's.
const CLIENT_PREFIXES: &[&str] = &["security.", "sasl.", "ssl.", "socket.", "broker.address."];

/// What is read of Kafka, with references still open.
#[derive(Default)]
pub(super) struct KafkaDraft<'a> {
    pub(super) settings: Option<KafkaSettings>,
    /// Templates, each checked against the declared variables.
    pub(super) templates: Vec<Text<'a>>,
    outboxes: Vec<Text<'a>>,
    triggers: Vec<TriggerDraft<'a>>,
}

struct TriggerDraft<'a> {
    id: Option<Text<'a>>,
    component: Text<'a>,
    /// With an empty id where the manifest gives none.
    trigger: KafkaTrigger,
}

pub(super) fn read<'a>(root: &Section<'a>, directory: &Path) -> KafkaDraft<'a> {
    let mut draft = KafkaDraft::default();
    let table = |key: &str| {
        root.value(key).filter(|value| value.get_ref().is_table()).and(root.section(key))
    };
    let application = table("application");
    let settings = application.as_ref().and_then(|application| {
        let triggers = application.value("trigger")?.get_ref().as_table()?;
        let value = triggers.get("kafka")?;
        application.section_of(value, "kafka")
    });
    if let Some(section) = &settings {
        read_settings(section, directory, &mut draft);
    }
    if let Some(types) = table("trigger").filter(|types| types.has("kafka")) {
        if settings.is_none() {
            let problem = "there are kafka triggers and no [application.trigger.kafka]";
            let help = "add it, with brokers = \"{{ brokers }}\"";
            root.report.error_help(&types.key_span("kafka"), problem, help.to_owned());
        }
        for item in types.list("kafka", "written as [[trigger.kafka]]") {
            if let Some(section) = types.section_of(item, "a trigger") {
                draft.triggers.extend(read_trigger(&section));
            }
        }
    }
    draft
}

fn read_settings<'a>(section: &Section<'a>, directory: &Path, draft: &mut KafkaDraft<'a>) {
    section.only(SETTINGS_KEYS);
    let brokers = section.required_text("brokers");
    draft.templates.extend(brokers.clone());
    let client = read_client(section);
    draft.templates.extend(client.iter().map(|(_, value)| value.clone()));
    let outboxes: Vec<_> = section
        .list("outbox", "written as [[application.trigger.kafka.outbox]]")
        .iter()
        .filter_map(|item| read_outbox(&section.section_of(item, "an outbox")?))
        .collect();
    let (components, outboxes) = outboxes.into_iter().unzip();
    draft.outboxes = components;
    draft.settings = Some(KafkaSettings {
        brokers: brokers.map(|text| text.value.to_owned()).unwrap_or_default(),
        client: client.into_iter().map(|(k, v)| (k.value.into(), v.value.into())).collect(),
        contracts: directory.join(section.string("contracts").unwrap_or_else(|| "wit".to_owned())),
        partitions: positive(section, "partitions").unwrap_or(PARTITIONS),
        replicas: positive(section, "replicas").unwrap_or(REPLICAS),
        keep_records: duration_at(section, "keep_records").map_or(KEEP_RECORDS, |(keep, _)| keep),
        keep_published: duration_at(section, "keep_published")
            .map_or(KEEP_PUBLISHED, |(keep, _)| keep),
        essential: section.flag("essential").unwrap_or(false),
        outboxes,
    });
}

/// Security settings of the client. Values that are no templates are kept out of messages.
fn read_client<'a>(section: &Section<'a>) -> Vec<(Text<'a>, Text<'a>)> {
    if let Some(table) = section.value("client").and_then(|value| value.get_ref().as_table()) {
        let literal =
            |value: &Value<'_>| !value.get_ref().as_str().is_some_and(|text| text.contains("{{"));
        table.values().filter(literal).for_each(|value| section.report.hide_values(value));
    }
    let Some(inner) = section.section("client") else { return Vec::new() };
    let settings = inner.entries().filter_map(|(name, value)| {
        if value.get_ref().is_table() {
            let problem = format!("`{}` is a table here, because of the dot after it", name.value);
            let help = format!("write the whole name in quotes: \"{}.…\" = …", name.value);
            section.report.error_help(&name.span, problem, help);
            return None;
        }
        let text = inner.text_of(value, name.value)?;
        Some((name, text))
    });
    let settings: Vec<_> = settings.collect();
    for (name, _) in &settings {
        if !CLIENT_PREFIXES.iter().any(|prefix| name.value.starts_with(prefix)) {
            let problem = format!("`{}` is not a setting that can be made here", name.value);
            let help = "what can be set is how the broker is reached: security.protocol, sasl.…, \
                        ssl.…, socket.…; write such names in quotes";
            section.report.error_help(&name.span, problem, help.to_owned());
        }
    }
    settings
}

fn read_outbox<'a>(section: &Section<'a>) -> Option<(Text<'a>, Outbox)> {
    section.only(OUTBOX_KEYS);
    let component = section.required_text("component");
    let topic = section.required_text("topic");
    let interface = section.required_text("interface");
    let record = section.required_text("record");
    let key = section.required_text("key");
    topic.iter().for_each(|topic| check_topic(section, topic));
    interface.iter().for_each(|interface| check_interface(section, interface));
    for name in [&record, &key].into_iter().flatten() {
        check_wit_name(section, name);
    }
    let component = component?;
    let source = section.string("source").unwrap_or_else(|| format!("/{}", component.value));
    let outbox = Outbox {
        component: component.value.to_owned(),
        topic: topic?.value.to_owned(),
        interface: interface?.value.to_owned(),
        record: record?.value.to_owned(),
        key: key?.value.to_owned(),
        source,
        erased_by: read_erased_by(section),
    };
    Some((component, outbox))
}

fn read_erased_by(section: &Section<'_>) -> Vec<String> {
    let types = if section.has("erased_by") { section.texts("erased_by") } else { Vec::new() };
    for kind in types.iter().filter(|kind| kind.value.trim().is_empty()) {
        section.error(&kind.span, "an event without a type erases nothing");
    }
    types.into_iter().map(|kind| kind.value.to_owned()).collect()
}

fn read_trigger<'a>(section: &Section<'a>) -> Option<TriggerDraft<'a>> {
    section.only(TRIGGER_KEYS);
    let component = section.required_text("component");
    let interface = section.required_text("interface");
    interface.iter().for_each(|interface| check_interface(section, interface));
    let group = section.required_text("group");
    if let Some(group) = group.as_ref().filter(|group| group.value.trim().is_empty()) {
        section.error(&group.span, "a consumer group needs a name");
    }
    let topics = read_topics(section);
    let dead_letter = section.text("dead_letter");
    dead_letter.iter().for_each(|topic| check_topic(section, topic));
    if let Some(own) = &dead_letter
        && topics.iter().any(|topic| topic == own.value)
    {
        section.error(&own.span, "what cannot be consumed must not go where it came from");
    }
    let function = section.text("function");
    function.iter().for_each(|name| check_wit_name(section, name));
    let component = component?;
    let trigger = KafkaTrigger {
        id: String::new(),
        component: component.value.to_owned(),
        interface: interface?.value.to_owned(),
        function: function.map_or_else(|| "consume".to_owned(), |name| name.value.to_owned()),
        topics,
        group: group?.value.to_owned(),
        from: read_from(section),
        batch_records_max: read_batch_size(section),
        batch_wait: duration_at(section, "batch_time").map_or(Duration::ZERO, |(wait, _)| wait),
        concurrency: positive(section, "concurrency").unwrap_or(CONCURRENCY),
        retries: positive(section, "retries").unwrap_or(RETRIES),
        patience: duration_at(section, "patience").map_or(PATIENCE, |(patience, _)| patience),
        dead_letter: dead_letter.map(|topic| topic.value.to_owned()),
    };
    let id = section.text("id").filter(|id| !id.value.is_empty());
    Some(TriggerDraft { id, component, trigger })
}

fn read_topics(section: &Section<'_>) -> Vec<String> {
    if section.has("topic") && section.has("topics") {
        section.error(&section.key_span("topics"), "a trigger has a `topic` or `topics`, not both");
    }
    let topics = match section.has("topics") {
        true => section.texts("topics"),
        false => section.required_text("topic").into_iter().collect(),
    };
    if section.value("topics").is_some_and(|value| value.get_ref().is_array()) && topics.is_empty()
    {
        section.error(&section.key_span("topics"), "a trigger without a topic would never run");
    }
    topics.iter().for_each(|topic| check_topic(section, topic));
    topics.into_iter().map(|topic| topic.value.to_owned()).collect()
}

fn read_from(section: &Section<'_>) -> StartFrom {
    let Some(text) = section.text("from") else { return StartFrom::Earliest };
    match text.value {
        "earliest" => StartFrom::Earliest,
        "latest" => StartFrom::Latest,
        other => {
            let problem = format!("`from` cannot be {other:?}");
            let help = "write \"earliest\" (the default) or \"latest\"";
            section.report.error_help(&text.span, problem, help.to_owned());
            StartFrom::Earliest
        }
    }
}

fn read_batch_size(section: &Section<'_>) -> u32 {
    let Some(size) = positive(section, "batch_size") else { return BATCH_RECORDS_MAX };
    if size > BATCH_RECORDS_LIMIT {
        let span = section.value("batch_size").map_or(section.span.clone(), |value| value.span());
        section.error(&span, format!("`batch_size` is at most {BATCH_RECORDS_LIMIT}"));
    }
    size
}

fn check_topic(section: &Section<'_>, topic: &Text<'_>) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name = topic.value;
    let fits = (1..=TOPIC_LENGTH_MAX).contains(&name.len());
    if !fits || !name.chars().all(allowed) || [".", ".."].contains(&name) {
        let problem = format!("{name:?} cannot name a topic");
        let help = "use letters, digits, dots, dashes and underscores, 249 at most";
        section.report.error_help(&topic.span, problem, help.to_owned());
    }
}

fn check_interface(section: &Section<'_>, interface: &Text<'_>) {
    let package = interface.value.split_once('/').filter(|(package, name)| {
        package.contains(':') && !name.split('@').next().unwrap_or_default().is_empty()
    });
    if package.is_none() {
        let problem = format!("{:?} is no WIT interface", interface.value);
        let help = "write package, interface and version, as in \"shop:orders/events@1.0.0\"";
        section.report.error_help(&interface.span, problem, help.to_owned());
    }
}

fn check_wit_name(section: &Section<'_>, name: &Text<'_>) {
    if let Some(flaw) = kebab_flaw(name.value) {
        section.error(&name.span, format!("{:?} is no name in WIT: {flaw}", name.value));
    }
}

impl<'a> KafkaDraft<'a> {
    /// The ids that triggers give themselves, with their places.
    pub(super) fn own_ids(&self) -> impl Iterator<Item = &Text<'a>> {
        self.triggers.iter().filter_map(|trigger| trigger.id.as_ref())
    }

    /// Looks up components and gives out ids. `taken` has the ids of all other triggers.
    pub(super) fn settle(
        self,
        report: &Report<'_>,
        components: &BTreeMap<String, Component>,
        mut taken: BTreeSet<String>,
    ) -> (Option<KafkaSettings>, Vec<KafkaTrigger>) {
        let ids = || components.keys().map(String::as_str);
        let unknown = |id: &Text<'_>| {
            let problem = format!("there is no component `{}`", id.value);
            report.error_help(&id.span, problem, advice(id.value, ids()));
        };
        for id in &self.outboxes {
            match components.get(id.value) {
                None => unknown(id),
                Some(component) if component.settings.database.is_none() => {
                    refuse_without_database(report, id);
                }
                Some(_) => {}
            }
        }
        let mut groups = BTreeMap::new();
        let mut triggers = Vec::new();
        for draft in self.triggers {
            if !components.contains_key(draft.component.value) {
                unknown(&draft.component);
            }
            for topic in &draft.trigger.topics {
                let place = draft.component.span.clone();
                refuse_shared_group(report, &mut groups, (&draft.trigger.group, topic), place);
            }
            let id = match draft.id {
                Some(id) => id.value.to_owned(),
                None => free_id(&draft.trigger.component, &mut taken),
            };
            triggers.push(KafkaTrigger { id, ..draft.trigger });
        }
        (self.settings, triggers)
    }
}

fn refuse_without_database(report: &Report<'_>, id: &Text<'_>) {
    let problem = format!("`{}` has no database of its own, so it has no outbox", id.value);
    let help = format!("give it [component.{}.tool.ward.database]", id.value);
    report.error_help(&id.span, problem, help);
}

/// Two triggers in one group on one topic would each get a part of the records.
fn refuse_shared_group<'g>(
    report: &Report<'_>,
    groups: &mut BTreeMap<(String, String), Span>,
    (group, topic): (&'g str, &'g str),
    place: Span,
) {
    if groups.insert((group.to_owned(), topic.to_owned()), place.clone()).is_some() {
        let problem = format!("two triggers consume `{topic}` as the group `{group}`");
        let help = "give each its own group, or each would get a part of the records";
        report.error_help(&place, problem, help.to_owned());
    }
}

/// Spin's names for triggers without one.
fn free_id(component: &str, taken: &mut BTreeSet<String>) -> String {
    let natural = std::iter::once(format!("{component}-kafka-trigger"));
    let numbered = (1..).map(|number: u32| format!("kafka-trigger{number}"));
    let id = natural.chain(numbered).find(|id| !taken.contains(id)).unwrap_or_default();
    taken.insert(id.clone());
    id
}
