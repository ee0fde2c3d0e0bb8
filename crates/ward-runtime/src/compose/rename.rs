//! Renames imports of a component in its binary form. Types in a component refer to each other by
//! index, never by name, so a new name changes nothing else: an interface that uses another's
//! resources still uses the same ones. Everything but the import sections is copied as it is.

use wasmparser::{BinaryReader, ComponentImport};

/// A component with some imports renamed.
pub(super) struct Renamed {
    /// The new bytes.
    pub(super) bytes: Vec<u8>,
    /// Old and new name of each import that changed, in the order of the component.
    pub(super) changed: Vec<(String, String)>,
}

/// Bytes before the first section: magic and version.
const PREAMBLE_LEN: usize = 8;
/// The id of a component's import section.
const IMPORT_SECTION: u8 = 10;

/// Gives each import the name that `new_name` returns for it, or leaves it.
///
/// The result is not validated; the composer validates what it is given.
pub(super) fn imports(
    component: &[u8],
    new_name: impl Fn(&str) -> Option<String>,
) -> wasmparser::Result<Renamed> {
    let mut reader = BinaryReader::new(component, 0);
    let mut renamed =
        Renamed { bytes: reader.read_bytes(PREAMBLE_LEN)?.to_vec(), changed: Vec::new() };
    while !reader.eof() {
        let id = reader.read_u8()?;
        let size = reader.read_var_u32()? as usize;
        let offset = reader.original_position();
        let content = reader.read_bytes(size)?;
        if id == IMPORT_SECTION {
            let section = BinaryReader::new(content, offset);
            let content = import_section(section, &new_name, &mut renamed.changed)?;
            push_section(&mut renamed.bytes, id, &content);
        } else {
            push_section(&mut renamed.bytes, id, content);
        }
    }
    Ok(renamed)
}

/// One import section's new content: a count, then for each import a kind byte, its name, and the
/// rest (naming options and type), of which only the name is ever written anew.
fn import_section(
    mut reader: BinaryReader<'_>,
    new_name: impl Fn(&str) -> Option<String>,
    changed: &mut Vec<(String, String)>,
) -> wasmparser::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(reader.bytes_remaining());
    let count = reader.read_var_u32()?;
    push_leb(&mut content, count as usize);
    for _ in 0..count {
        let mut entry = reader.clone();
        reader.read::<ComponentImport<'_>>()?;
        content.push(entry.read_u8()?);
        let name = entry.read_string()?;
        match new_name(name) {
            Some(new) => {
                push_name(&mut content, &new);
                changed.push((name.to_owned(), new));
            }
            None => push_name(&mut content, name),
        }
        let rest_len = entry.bytes_remaining() - reader.bytes_remaining();
        content.extend_from_slice(entry.read_bytes(rest_len)?);
    }
    Ok(content)
}

fn push_section(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    push_leb(out, content.len());
    out.extend_from_slice(content);
}

fn push_name(out: &mut Vec<u8>, name: &str) {
    push_leb(out, name.len());
    out.extend_from_slice(name.as_bytes());
}

/// Unsigned LEB128, the integers of the binary format: seven bits a byte, lowest first, the top
/// bit set on all but the last.
fn push_leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
