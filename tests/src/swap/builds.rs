//! Other builds of the application's components that do the same: a custom section makes other
//! bytes of them, and so another digest and other machine code as far as Ward can tell.

use std::collections::BTreeMap;

/// How many builds of a component take turns, beside the one that was there at first.
pub(super) const KINDS: u32 = 2;

/// The builds, and whose turn it is.
pub(super) struct Builds {
    by_component: BTreeMap<String, (Vec<u8>, u32)>,
}

impl Builds {
    /// Of these components of the repository's.
    pub(super) fn of(components: &[&str]) -> Builds {
        let build = |component: &&str| {
            let bytes = std::fs::read(crate::wasm(component)).expect("a component");
            ((*component).to_owned(), (bytes, 0))
        };
        Builds { by_component: components.iter().map(build).collect() }
    }

    /// The next of a component.
    pub(super) fn next(&mut self, component: &str) -> Vec<u8> {
        let (bytes, turn) = self.by_component.get_mut(component).expect("a component");
        *turn += 1;
        marked(bytes, &format!("build {}", *turn % KINDS))
    }
}

/// The same component with a custom section that says `mark`.
pub fn marked(wasm: &[u8], mark: &str) -> Vec<u8> {
    let name = "ward-test";
    let length = |text: &str| u8::try_from(text.len()).expect("a short text");
    let mut section = vec![length(name)];
    section.extend(name.as_bytes());
    section.extend(mark.as_bytes());
    let mut other = wasm.to_vec();
    // Section 0, and its length in one byte of LEB128.
    other.extend([0, u8::try_from(section.len()).ok().filter(|n| *n < 128).expect("short")]);
    other.extend(section);
    other
}
