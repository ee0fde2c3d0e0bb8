//! `[[trigger.grpc]]` and `[application.trigger.grpc]`: which interfaces are served over gRPC and
//! how. Real Spin passes keys of such a trigger to its plugin unread, so they are Ward's to choose.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;

use crate::grpc::{
    CallerRecord, FunctionName, GrpcSettings, GrpcTrigger, RevokedSettings, TokenSettings,
};
use crate::names::{kebab_flaw, label_flaw};
use crate::toml_file::{Section, Span, Text};

use super::dependency::is_interface_name;
use super::tool::{address, read_tls, size_at};

/// Where calls come in if the manifest does not say.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9001);

/// What gRPC libraries allow a message unless they are told otherwise; there is no more to be had.
const MESSAGE_BYTES_MAX: u64 = 4 << 20;

/// From a small form to the longest message that is decoded at all.
const MESSAGE_BYTES: RangeInclusive<u64> = (1 << 10)..=MESSAGE_BYTES_MAX;

/// What the manifest says of gRPC, with references not looked up yet.
pub(super) struct GrpcDraft<'a> {
    pub(super) triggers: Vec<GrpcTriggerDraft<'a>>,
    pub(super) settings: GrpcSettings,
    /// The templates in `token`.
    pub(super) templates: Vec<Text<'a>>,
}

/// A trigger whose component is not looked up yet.
pub(super) struct GrpcTriggerDraft<'a> {
    /// `None` where the manifest gives none; Spin takes an empty one for none too.
    pub(super) id: Option<Text<'a>>,
    pub(super) component: Option<Text<'a>>,
    /// All but the id and the component; `None` when the report says why.
    pub(super) trigger: Option<GrpcTrigger>,
}

/// Reads both tables.
pub(super) fn read<'a>(root: &Section<'a>, directory: &Path) -> GrpcDraft<'a> {
    let mut draft = GrpcDraft { triggers: Vec::new(), settings: defaults(), templates: Vec::new() };
    let mut has_token = false;
    if let Some(settings) = settings_section(root) {
        has_token = settings.has("token");
        read_settings(&settings, directory, &mut draft);
    }
    let Some(types) = root.value("trigger").filter(|types| types.get_ref().is_table()) else {
        return draft;
    };
    let Some(types) = root.section_of(types, "trigger") else { return draft };
    for item in types.list("grpc", "written as [[trigger.grpc]]") {
        let Some(section) = types.section_of(item, "a trigger") else { continue };
        let trigger = read_trigger(&section);
        let guarded = trigger.trigger.as_ref().is_some_and(|trigger| !trigger.public);
        if guarded && !has_token {
            ask_for_token(&section);
        }
        draft.triggers.push(trigger);
    }
    draft
}

fn defaults() -> GrpcSettings {
    GrpcSettings {
        listen: LISTEN,
        token: None,
        caller: None,
        refused: None,
        message_bytes_max: MESSAGE_BYTES_MAX,
        tls: None,
        reflection: true,
    }
}

/// `[application.trigger.grpc]`. What has the wrong type on the way there is reported by those who
/// read these tables whole.
fn settings_section<'a>(root: &Section<'a>) -> Option<Section<'a>> {
    let mut section = root.clone();
    for key in ["application", "trigger", "grpc"] {
        let value = section.value(key).filter(|value| value.get_ref().is_table())?;
        section = section.section_of(value, key)?;
    }
    Some(section)
}

fn read_settings<'a>(section: &Section<'a>, directory: &Path, draft: &mut GrpcDraft<'a>) {
    section.only(&[
        "listen",
        "token",
        "caller",
        "refused",
        "max_message_size",
        "tls",
        "reflection",
    ]);
    let settings = &mut draft.settings;
    if let Some(text) = section.text("listen") {
        settings.listen = address(section, &text).unwrap_or(LISTEN);
    }
    if let Some(bytes) = size_at(section, "max_message_size", MESSAGE_BYTES, "1KiB and 4MiB") {
        settings.message_bytes_max = bytes;
    }
    let named = |key: &str, (what, example): (&str, &str)| {
        section.text(key).and_then(|text| read_member(section, &text, what, example))
    };
    settings.caller = named("caller", ("a record", "record"))
        .map(|[interface, record]| CallerRecord { interface, record });
    settings.refused = named("refused", ("a function", "function"))
        .map(|[interface, function]| FunctionName { interface, function });
    settings.reflection = section.flag("reflection").unwrap_or(true);
    settings.tls = section.section("tls").and_then(|tls| read_tls(&tls, directory));
    if let Some(token) = section.section("token") {
        read_token(&token, draft);
    }
}

fn read_token<'a>(token: &Section<'a>, draft: &mut GrpcDraft<'a>) {
    token.only(&["public_key", "issuer", "audience", "revoked"]);
    let keys = ["public_key", "issuer", "audience"].map(|key| token.required_text(key));
    draft.templates = keys.iter().flatten().cloned().collect();
    let revoked = token.section("revoked").and_then(|revoked| read_revoked(&revoked));
    if let [Some(public_key), Some(issuer), Some(audience)] = keys {
        draft.settings.token = Some(TokenSettings {
            public_key: public_key.value.to_owned(),
            issuer: issuer.value.to_owned(),
            audience: audience.value.to_owned(),
            revoked,
        });
    }
}

/// Where sessions that have ended are written down.
fn read_revoked(revoked: &Section<'_>) -> Option<RevokedSettings> {
    revoked.only(&["store", "prefix"]);
    let (store, prefix) = (revoked.required_text("store"), revoked.required_text("prefix"));
    let store = store?;
    if let Some(flaw) = label_flaw(store.value) {
        revoked.error(&store.span, format!("{:?} is no label: {flaw}", store.value));
    }
    Some(RevokedSettings { store: store.value.to_owned(), prefix: prefix?.value.to_owned() })
}

/// The interface and the name of something in it.
fn read_member(
    section: &Section<'_>,
    text: &Text<'_>,
    what: &str,
    example: &str,
) -> Option<[String; 2]> {
    let member = text.value.rsplit_once('.').filter(|(interface, member)| {
        is_interface_name(interface) && !interface.contains('@') && kebab_flaw(member).is_none()
    });
    if member.is_none() {
        let problem = format!("{:?} is not the name of {what}", text.value);
        let help =
            format!("write it as in WIT and without a version: \"ns:package/interface.{example}\"");
        section.report.error_help(&text.span, problem, help);
    }
    let (interface, member) = member?;
    Some([interface.to_owned(), member.to_owned()])
}

fn ask_for_token(trigger: &Section<'_>) {
    let problem = "this trigger asks for a token, and [application.trigger.grpc] has no `token`";
    let help = "add token = { public_key = …, issuer = …, audience = … } there, or public = true \
                here if anybody may call it";
    trigger.report.error_help(&trigger.span, problem, help.to_owned());
}

fn read_trigger<'a>(section: &Section<'a>) -> GrpcTriggerDraft<'a> {
    section.only(&["id", "component", "interface", "package", "service", "public", "scopes"]);
    let component = read_component(section);
    let interface = section.required_text("interface");
    if let Some(name) = interface.as_ref().filter(|name| !is_interface_name(name.value)) {
        let problem = format!("{:?} is not the name of an interface", name.value);
        let help = "write it as in WIT: \"ns:package/interface\", with or without \"@1.2.3\"";
        section.report.error_help(&name.span, problem, help.to_owned());
    }
    let package = section.text("package");
    if let Some(name) = package.as_ref().filter(|name| !is_package(name.value)) {
        let problem = format!("{:?} is not a protobuf package", name.value);
        let help = "write words with dots between, as in \"orders.v1\", or \"\" for none";
        section.report.error_help(&name.span, problem, help.to_owned());
    }
    let service = section.text("service");
    if let Some(name) = service.as_ref().filter(|name| !is_identifier(name.value)) {
        let problem = format!("{:?} is not the name of a protobuf service", name.value);
        let help = "use letters, digits and underscores, a letter first, as in \"OrderService\"";
        section.report.error_help(&name.span, problem, help.to_owned());
    }
    let owned = |text: &Text<'_>| text.value.to_owned();
    let public = section.flag("public").unwrap_or(false);
    let scopes = read_scopes(section, public);
    let trigger = interface.map(|interface| GrpcTrigger {
        id: String::new(),
        component: String::new(),
        interface: owned(&interface),
        package: package.as_ref().map(owned),
        service: service.as_ref().map(owned),
        public,
        scopes,
    });
    let id = section.text("id").filter(|id| !id.value.is_empty());
    GrpcTriggerDraft { id, component, trigger }
}

/// What a token needs for each function. A trigger that asks for tokens and has none of it would
/// refuse everybody.
fn read_scopes(section: &Section<'_>, public: bool) -> BTreeMap<String, String> {
    let report = section.report;
    let given = section.has("scopes");
    if !public && !given {
        let problem = "this trigger asks for a token, and no `scopes` say what it has to allow";
        let help = "add scopes = { get-order = \"order.read\" } with the interface's functions, of \
                    which those that are not named are refused; or public = true";
        report.error_help(&section.span, problem, help.to_owned());
    }
    if public && given {
        let problem = "nobody needs a token here, so that no scope is looked at";
        let help = "leave away either `scopes` or public = true";
        report.error_help(&section.key_span("scopes"), problem, help.to_owned());
    }
    let mut scopes = BTreeMap::new();
    for (function, scope) in section.text_map("scopes") {
        if kebab_flaw(function.value).is_some() {
            let problem = format!("{:?} is not the name of a function", function.value);
            let help = "write it as in WIT, with hyphens between words: get-order";
            report.error_help(&function.span, problem, help.to_owned());
        }
        if !is_scope(scope.value) {
            let problem = format!("{:?} is not a scope", scope.value);
            let help = "write one name, without blanks, quotes and backslashes: \"order.read\"";
            report.error_help(&scope.span, problem, help.to_owned());
        }
        scopes.insert(function.value.to_owned(), scope.value.to_owned());
    }
    scopes
}

/// Whether it can be a name in a token's list of scopes (RFC 6749, 3.3).
fn is_scope(text: &str) -> bool {
    let in_name = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !text.is_empty() && text.bytes().all(in_name)
}

fn read_component<'a>(section: &Section<'a>) -> Option<Text<'a>> {
    let Some(value) = section.value("component") else {
        section.missing("component", "the id of a component");
        return None;
    };
    if value.get_ref().is_table() {
        let span: Span = value.span();
        let help = "give it a table [component.<id>], and write component = \"<id>\"";
        let problem = "the component of a grpc trigger must have an id";
        section.report.error_help(&span, problem, help.to_owned());
        return None;
    }
    section.text("component")
}

/// Identifiers with dots between, or nothing.
fn is_package(name: &str) -> bool {
    name.is_empty() || name.split('.').all(is_identifier)
}

fn is_identifier(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}
