//! Reflection, v1 and v1alpha: descriptors of all that is served, of the host's own services, and
//! of what a status may carry. A question without an answer is answered with an error, and the
//! conversation goes on: clients probe for what may not be there, over one stream.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
use tonic::{Request, Response, Status, Streaming};
use tonic_reflection::pb;
use tonic_reflection::server::{v1, v1alpha};
use ward_serve::Current;

/// A file's descriptor as it is sent.
type File = Arc<[u8]>;

/// What can be asked for.
#[derive(Debug, Default)]
pub(crate) struct Index {
    files: HashMap<String, File>,
    /// By full name: messages, enums, services, and what is in them.
    symbols: HashMap<String, File>,
    messages: Vec<String>,
    services: Vec<String>,
}

impl Index {
    /// Of these files, and of those that every server has. `health` is encoded.
    pub(crate) fn new(served: FileDescriptorSet, health: &[u8]) -> Result<Index, String> {
        let mut index = Index::default();
        served.file.into_iter().for_each(|file| index.add(&file));
        let encoded = [
            health,
            tonic_types::pb::FILE_DESCRIPTOR_SET,
            pb::v1::FILE_DESCRIPTOR_SET,
            pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        for set in encoded {
            let set = FileDescriptorSet::decode(set).map_err(|error| error.to_string())?;
            set.file.into_iter().for_each(|file| index.add(&at_home(file)));
        }
        // What the descriptors of `google.rpc` import.
        index.add(&well_known("any", "Any", &[("type_url", Type::String), ("value", Type::Bytes)]));
        index.add(&well_known(
            "duration",
            "Duration",
            &[("seconds", Type::Int64), ("nanos", Type::Int32)],
        ));
        index.services.sort();
        Ok(index)
    }

    /// Adds a file, unless there is one of its name.
    fn add(&mut self, file: &FileDescriptorProto) {
        let encoded: File = file.encode_to_vec().into();
        if self.files.contains_key(file.name()) {
            return;
        }
        self.files.insert(file.name().to_owned(), encoded.clone());
        for message in &file.message_type {
            self.add_message(file.package(), message, &encoded);
        }
        for kind in &file.enum_type {
            self.add_symbol(file.package(), kind.name(), &encoded);
        }
        for service in &file.service {
            let name = self.add_symbol(file.package(), service.name(), &encoded);
            for method in &service.method {
                self.add_symbol(&name, method.name(), &encoded);
            }
            self.services.push(name);
        }
    }

    fn add_message(&mut self, scope: &str, message: &DescriptorProto, file: &File) {
        let name = self.add_symbol(scope, message.name(), file);
        for field in &message.field {
            self.add_symbol(&name, field.name(), file);
        }
        for kind in &message.enum_type {
            self.add_symbol(&name, kind.name(), file);
        }
        for nested in &message.nested_type {
            self.add_message(&name, nested, file);
        }
        self.messages.push(name);
    }

    fn add_symbol(&mut self, scope: &str, name: &str, file: &File) -> String {
        let name = if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
        self.symbols.insert(name.clone(), file.clone());
        name
    }

    fn answer(&self, question: &Question) -> Result<Answer, Status> {
        let none = |what: &str| Status::not_found(format!("there is no such {what}"));
        match question {
            Question::File(name) => {
                self.files.get(name).cloned().map(Answer::File).ok_or_else(|| none("file"))
            }
            // A name may be written with a dot before it, as within a file.
            Question::Symbol(name) => {
                let file = self.symbols.get(name.strip_prefix('.').unwrap_or(name));
                file.cloned().map(Answer::File).ok_or_else(|| none("symbol"))
            }
            Question::Extension => Err(none("extension: nothing here is extended")),
            Question::ExtensionsOf(name) => match self.messages.contains(name) {
                true => Ok(Answer::NoExtensionsOf(name.clone())),
                false => Err(none("message")),
            },
            Question::Services => Ok(Answer::Services(self.services.clone())),
            Question::None => Err(Status::invalid_argument("the request asks for nothing")),
        }
    }
}

/// A file under the name that everybody imports it by: the library that has the descriptors of
/// `google.rpc` names them without their directory.
fn at_home(mut file: FileDescriptorProto) -> FileDescriptorProto {
    if file.package() == "google.rpc" {
        let names = file.name.iter_mut().chain(&mut file.dependency);
        names.filter(|name| !name.contains('/')).for_each(|name| name.insert_str(0, "google/rpc/"));
    }
    file
}

/// What may be asked, in either version.
enum Question {
    File(String),
    Symbol(String),
    Extension,
    ExtensionsOf(String),
    Services,
    None,
}

enum Answer {
    File(File),
    NoExtensionsOf(String),
    Services(Vec<String>),
}

/// A file of Google's with one message.
fn well_known(file: &str, message: &str, fields: &[(&str, Type)]) -> FileDescriptorProto {
    let field = |(number, (name, kind)): (i32, &(&str, Type))| FieldDescriptorProto {
        name: Some((*name).to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some((*kind).into()),
        ..Default::default()
    };
    FileDescriptorProto {
        name: Some(format!("google/protobuf/{file}.proto")),
        package: Some("google.protobuf".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some(message.to_owned()),
            field: (1..).zip(fields).map(field).collect(),
            ..Default::default()
        }],
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    }
}

/// The service, in both versions.
#[derive(Debug, Clone)]
pub(crate) struct Reflection(pub(crate) Current<Index>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The two versions are one but for their package.
macro_rules! version {
    ($version:ident) => {
        #[tonic::async_trait]
        impl $version::ServerReflection for Reflection {
            type ServerReflectionInfoStream = Answers<pb::$version::ServerReflectionResponse>;

            async fn server_reflection_info(
                &self,
                request: Request<Streaming<pb::$version::ServerReflectionRequest>>,
            ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
                use pb::$version::server_reflection_request::MessageRequest as Asked;
                use pb::$version::server_reflection_response::MessageResponse as Said;
                use pb::$version::*;
                let index = self.0.get();
                let answer = move |request: ServerReflectionRequest| {
                    let question = match request.message_request.clone() {
                        Some(Asked::FileByFilename(name)) => Question::File(name),
                        Some(Asked::FileContainingSymbol(name)) => Question::Symbol(name),
                        Some(Asked::FileContainingExtension(_)) => Question::Extension,
                        Some(Asked::AllExtensionNumbersOfType(name)) => {
                            Question::ExtensionsOf(name)
                        }
                        Some(Asked::ListServices(_)) => Question::Services,
                        None => Question::None,
                    };
                    let said = match index.answer(&question) {
                        Ok(Answer::File(file)) => {
                            let file_descriptor_proto = vec![file.to_vec()];
                            Said::FileDescriptorResponse(FileDescriptorResponse {
                                file_descriptor_proto,
                            })
                        }
                        Ok(Answer::NoExtensionsOf(base_type_name)) => {
                            let extension_number = Vec::new();
                            Said::AllExtensionNumbersResponse(ExtensionNumberResponse {
                                base_type_name,
                                extension_number,
                            })
                        }
                        Ok(Answer::Services(names)) => {
                            let names = names.into_iter();
                            let service = names.map(|name| ServiceResponse { name }).collect();
                            Said::ListServicesResponse(ListServiceResponse { service })
                        }
                        Err(status) => Said::ErrorResponse(ErrorResponse {
                            error_code: i32::from(status.code()),
                            error_message: status.message().to_owned(),
                        }),
                    };
                    ServerReflectionResponse {
                        valid_host: request.host.clone(),
                        original_request: Some(request),
                        message_response: Some(said),
                    }
                };
                let answers = request.into_inner().map(move |asked| asked.map(&answer));
                Ok(Response::new(Box::pin(answers)))
            }
        }
    };
}

version!(v1);
version!(v1alpha);

#[cfg(test)]
mod tests {
    use prost_types::FileDescriptorSet;

    use super::{Answer, Index, Question};

    fn index() -> Index {
        let served = FileDescriptorSet { file: Vec::new() };
        Index::new(served, tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap()
    }

    #[test]
    fn what_a_status_carries_is_described_with_all_that_it_imports() {
        use prost::Message as _;
        let index = index();
        for name in [
            "google.rpc.Status",
            "google.rpc.BadRequest",
            "google.rpc.BadRequest.FieldViolation",
            ".google.protobuf.Any",
            "grpc.health.v1.Health.Check",
        ] {
            assert!(index.answer(&Question::Symbol(name.to_owned())).is_ok(), "{name}");
        }
        for name in ["google/rpc/status.proto", "google/rpc/error_details.proto"] {
            assert!(index.files.contains_key(name), "{name} in {:?}", index.files.keys());
        }
        for file in index.files.values() {
            let file = prost_types::FileDescriptorProto::decode(&**file).unwrap();
            for import in &file.dependency {
                assert!(index.files.contains_key(import), "{import} of {}", file.name());
            }
        }
    }

    #[test]
    fn services_are_each_named_once() {
        let Ok(Answer::Services(names)) = index().answer(&Question::Services) else { panic!() };
        let expected = [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ];
        assert_eq!(names, expected);
    }
}
