//! The part of `[application.tool.ward]` that a start needs: variables that Ward fills in, what
//! variables may be, and what it prints when the application is ready. Guides are read here, so
//! that a file that is missing is found before anything starts.

use std::fs;
use std::io;
use std::path::{Component as Part, Path, PathBuf};

use toml::de::DeValue;

use crate::app::Settings;
use crate::start::{Guide, KeyPair};
use crate::toml_file::{Section, Text};

/// The keys that are read here.
pub(super) const KEYS: [&str; 5] = ["database_host", "guide", "demo_guide", "generate", "one_of"];

/// What is named here and has to be looked up.
#[derive(Default)]
pub(super) struct StartDraft<'a> {
    /// Variables that Ward fills in.
    pub(super) filled: Vec<Filled<'a>>,
    /// Variables whose values are listed.
    pub(super) limited: Vec<Text<'a>>,
    /// Guides with an address of gRPC in them.
    pub(super) grpc_guides: Vec<Text<'a>>,
}

/// A variable that Ward fills in.
pub(super) struct Filled<'a> {
    pub(super) variable: Text<'a>,
    /// Whether what it gets must be kept out of messages.
    pub(super) secret: bool,
}

/// Reads it into `settings`.
pub(super) fn read<'a>(ward: &Section<'a>, root: &Path, settings: &mut Settings) -> StartDraft<'a> {
    let mut draft = StartDraft::default();
    if let Some(variable) = ward.text("database_host") {
        settings.database_host = Some(variable.value.to_owned());
        draft.filled.push(Filled { variable, secret: false });
    }
    settings.guide = read_guide(ward, "guide", root, &mut draft);
    settings.demo_guide = read_guide(ward, "demo_guide", root, &mut draft);
    read_key_pairs(ward, settings, &mut draft);
    read_values(ward, settings, &mut draft);
    draft
}

fn read_values<'a>(ward: &Section<'a>, settings: &mut Settings, draft: &mut StartDraft<'a>) {
    let Some(lists) = ward.section("one_of") else { return };
    for (variable, list) in lists.entries() {
        let values = lists.strings(variable.value);
        if matches!(list.get_ref(), DeValue::Array(items) if items.is_empty()) {
            lists.error(&variable.span, format!("`{}` could be nothing", variable.value));
        }
        settings.one_of.insert(variable.value.to_owned(), values);
        draft.limited.push(variable);
    }
}

fn read_key_pairs<'a>(ward: &Section<'a>, settings: &mut Settings, draft: &mut StartDraft<'a>) {
    let Some(generate) = ward.section("generate") else { return };
    generate.only(&["ed25519"]);
    for item in generate.list("ed25519", "a list of { private_key = …, public_key = … }") {
        let Some(pair) = generate.section_of(item, "each entry of `ed25519`") else { continue };
        pair.only(&["private_key", "public_key"]);
        let (private, public) =
            (pair.required_text("private_key"), pair.required_text("public_key"));
        let (Some(private), Some(public)) = (private, public) else { continue };
        settings.key_pairs.push(KeyPair {
            private_key: private.value.to_owned(),
            public_key: public.value.to_owned(),
        });
        draft.filled.push(Filled { variable: private, secret: true });
        draft.filled.push(Filled { variable: public, secret: false });
    }
}

fn read_guide<'a>(
    ward: &Section<'a>,
    key: &str,
    root: &Path,
    draft: &mut StartDraft<'a>,
) -> Option<Guide> {
    let path = ward.text(key)?;
    let read = inside(root, path.value)
        .and_then(|file| fs::read_to_string(file).map_err(|error| unreadable(&error)))
        .and_then(Guide::read);
    match read {
        Ok(guide) => {
            if guide.names_grpc() {
                draft.grpc_guides.push(path);
            }
            Some(guide)
        }
        Err(problem) => {
            ward.error(&path.span, format!("{:?} {problem}", path.value));
            None
        }
    }
}

/// The file that a path in the manifest leads to, through links too, which is the application's.
fn inside(root: &Path, path: &str) -> Result<PathBuf, String> {
    let outside = || "leads out of the application's directory".to_owned();
    let plain = |part: Part<'_>| matches!(part, Part::Normal(_) | Part::CurDir);
    if !Path::new(path).components().all(plain) {
        return Err(outside());
    }
    let real = fs::canonicalize(root.join(path)).map_err(|error| unreadable(&error))?;
    let root = fs::canonicalize(root).map_err(|error| unreadable(&error))?;
    if real.starts_with(root) { Ok(real) } else { Err(outside()) }
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "is not there".to_owned(),
        io::ErrorKind::InvalidData => "is no text in UTF-8".to_owned(),
        kind => format!("cannot be read ({kind})"),
    }
}
