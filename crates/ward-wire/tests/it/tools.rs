//! What several suites need: the repository's contracts, and contracts in a few lines.

use std::path::{Path, PathBuf};

use ward_wire::{Contract, Message, Naming, Refusal, Service};

/// What every trigger of the application supplies.
pub(crate) const CALLER: &str = "pms:common/types.caller";

/// The contracts in `wit/`.
pub(crate) fn repository() -> Contract {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let directories: Vec<PathBuf> =
        ["billing", "patients", "common"].map(|name| wit.join(name)).to_vec();
    Contract::from_directories(&directories).unwrap()
}

/// Names as derived, with the caller left out.
pub(crate) fn naming() -> Naming {
    Naming { ambient: vec![CALLER.to_owned()], ..Naming::default() }
}

/// A contract of one package `t:t@1.0.0` with one interface `i`.
pub(crate) fn contract(interface: &str) -> Contract {
    let text = format!("package t:t@1.0.0;\ninterface i {{\n{interface}\n}}\n");
    Contract::from_sources(&[("t.wit", &text)]).unwrap()
}

/// The service of [`contract`].
pub(crate) fn service(interface: &str) -> Result<Service, Vec<Refusal>> {
    Service::derive(&contract(interface), "t:t/i", &Naming::default())
}

/// The message of the record `r` of [`contract`].
pub(crate) fn message(interface: &str) -> Message {
    Message::derive(&contract(interface), "t:t/i", "r", &Naming::default()).unwrap()
}

/// Findings, each on a line, or on several with the further ones indented.
pub(crate) fn lines<T: ToString>(findings: &[T]) -> String {
    findings.iter().map(|finding| wrapped(&finding.to_string()) + "\n").collect()
}

/// Text in lines that fit into a snapshot, broken after spaces and commas.
pub(crate) fn wrapped(text: &str) -> String {
    const CHARS_MAX: usize = 76;
    let mut out = String::new();
    let mut length = 0;
    for part in text.split_inclusive([' ', ',']) {
        let chars = part.chars().count();
        if length > 0 && length + chars > CHARS_MAX {
            let end = out.trim_end().len();
            out.truncate(end);
            out.push_str("\n    ");
            length = 4;
        }
        out.push_str(part);
        length += chars;
    }
    out
}
