//! protoc itself, as a judge of .proto text. The binary comes with a crate, so that no machine
//! leaves this out.

use std::io::Write as _;
use std::process::{Command, Stdio};

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// Compiles files; their descriptors and those of what they import.
pub(crate) fn compile(files: &[(String, String)]) -> FileDescriptorSet {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let out = directory.path().join("set.pb");
    let mut command = Command::new(protoc_bin_vendored::protoc_bin_path().unwrap());
    command.arg("--include_imports").arg("--descriptor_set_out").arg(&out);
    command.arg("--proto_path").arg(directory.path());
    command.arg("--proto_path").arg(protoc_bin_vendored::include_path().unwrap());
    let ran = command.args(files.iter().map(|(name, _)| name)).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.is_empty(), "{said}\n{files:?}");
    FileDescriptorSet::decode(&*std::fs::read(out).unwrap()).unwrap()
}

/// The bytes of a message that is given in protobuf's text format.
pub(crate) fn encode(proto: &str, message: &str, text: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file.proto"), proto).unwrap();
    let mut command = Command::new(protoc_bin_vendored::protoc_bin_path().unwrap());
    command.arg("--encode").arg(message).arg("--proto_path").arg(directory.path());
    command.arg("file.proto").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert!(ran.status.success());
    ran.stdout
}

/// Descriptors without comments, which protoc does not keep unless asked to.
pub(crate) fn without_comments(mut set: FileDescriptorSet) -> FileDescriptorSet {
    set.file.iter_mut().for_each(|file| file.source_code_info = None);
    set.file.sort_by(|a, b| a.name.cmp(&b.name));
    set
}
