//! Reflection, v1 and v1alpha: a client that knows nothing learns the derived contract, without a
//! token, and can call by it.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::FileDescriptorProto;
use tonic::Code;
use tonic_reflection::pb::{v1, v1alpha};
use ward_grpc::Options;

use crate::site::{PATIENCE, Site, options};

/// What is said of a name, by v1: services, or a file.
async fn ask(site: &Site, request: v1::server_reflection_request::MessageRequest) -> Vec<String> {
    use v1::server_reflection_response::MessageResponse;
    let request =
        v1::ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(site.channel().await);
    let requests = tokio_stream::once(request);
    let mut answers = client.server_reflection_info(requests).await.unwrap().into_inner();
    match answers.message().await.unwrap().unwrap().message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => {
            list.service.into_iter().map(|service| service.name).collect()
        }
        MessageResponse::FileDescriptorResponse(files) => {
            let files = files.file_descriptor_proto.iter();
            let decoded = files.map(|file| FileDescriptorProto::decode(file.as_slice()).unwrap());
            decoded.flat_map(describe).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// A file's services, methods and messages in lines.
fn describe(file: FileDescriptorProto) -> Vec<String> {
    let mut lines = vec![format!("package {}", file.package())];
    for service in &file.service {
        for method in &service.method {
            lines.push(format!(
                "{}.{}({}) {}",
                service.name(),
                method.name(),
                method.input_type(),
                method.output_type()
            ));
        }
    }
    for message in &file.message_type {
        let fields = message.field.iter();
        let fields: Vec<_> =
            fields.map(|field| format!("{}={}", field.name(), field.number())).collect();
        lines.push(format!("{} {{{}}}", message.name(), fields.join(" ")));
    }
    lines
}

#[tokio::test]
async fn services_and_their_files() {
    use v1::server_reflection_request::MessageRequest::{FileContainingSymbol, ListServices};
    let site = Site::new().await;
    let services: BTreeSet<String> =
        ask(&site, ListServices(String::new())).await.into_iter().collect();
    for service in ["test.clinic.v1.Desk", "open.Desk", "grpc.health.v1.Health"] {
        assert!(services.contains(service), "{services:?}");
    }
    let file = ask(&site, FileContainingSymbol("test.clinic.v1.Desk".to_owned())).await;
    assert_eq!(file[0], "package test.clinic.v1");
    let expected = [
        "Desk.Ask(.test.clinic.v1.Question) .test.clinic.v1.Answer",
        "Question {what=1 count=2 padding=3 mood=4}",
        "Answer {text=1 count=2}",
    ];
    for line in expected {
        assert!(file.iter().any(|found| found == line), "{line} in {file:?}");
    }
    assert!(!file.iter().any(|line| line.contains("caller")), "{file:?}");
}

#[tokio::test]
async fn v1alpha_says_the_same() {
    use v1alpha::server_reflection_request::MessageRequest;
    use v1alpha::server_reflection_response::MessageResponse;
    let site = Site::new().await;
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(site.channel().await);
    let symbol = "open.Desk".to_owned();
    let requests = tokio_stream::iter([
        MessageRequest::ListServices(String::new()),
        MessageRequest::FileContainingSymbol(symbol),
    ]);
    let requests = tokio_stream::StreamExt::map(requests, |request| {
        v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(request) }
    });
    let mut answers = client.server_reflection_info(requests).await.unwrap().into_inner();
    let MessageResponse::ListServicesResponse(list) =
        answers.message().await.unwrap().unwrap().message_response.unwrap()
    else {
        panic!("no list")
    };
    assert!(list.service.iter().any(|service| service.name == "open.Desk"), "{list:?}");
    let MessageResponse::FileDescriptorResponse(files) =
        answers.message().await.unwrap().unwrap().message_response.unwrap()
    else {
        panic!("no file")
    };
    let file = FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).unwrap();
    assert_eq!((file.package(), file.service[0].name()), ("open", "Desk"));
    assert_eq!(answers.message().await.unwrap(), None);
}

/// Clients probe for what may not be there, and go on over the same stream.
#[tokio::test]
async fn a_question_without_an_answer_ends_no_conversation() {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;
    let site = Site::new().await;
    let extension = v1::ExtensionRequest {
        containing_type: "google.rpc.Status".to_owned(),
        extension_number: 7,
    };
    let text = str::to_owned;
    let asked = [
        (Some(MessageRequest::FileContainingSymbol(text("no.such.Thing"))), Code::NotFound),
        (Some(MessageRequest::FileByFilename(text("no/such.proto"))), Code::NotFound),
        (Some(MessageRequest::FileContainingExtension(extension)), Code::NotFound),
        (Some(MessageRequest::AllExtensionNumbersOfType(text("no.such.Thing"))), Code::NotFound),
        (None, Code::InvalidArgument),
        (Some(MessageRequest::FileContainingSymbol(text(".open.Desk"))), Code::Ok),
        (Some(MessageRequest::AllExtensionNumbersOfType(text("google.rpc.Status"))), Code::Ok),
        (Some(MessageRequest::FileContainingSymbol(text("google.rpc.BadRequest"))), Code::Ok),
        (Some(MessageRequest::FileByFilename(text("google/protobuf/duration.proto"))), Code::Ok),
        (Some(MessageRequest::ListServices(String::new())), Code::Ok),
    ];
    let (requests, expected): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    let requests = requests
        .into_iter()
        .map(|message_request| v1::ServerReflectionRequest { host: text("a"), message_request });
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(site.channel().await);
    let requests = tokio_stream::iter(requests.collect::<Vec<_>>());
    let mut answers = client.server_reflection_info(requests).await.unwrap().into_inner();
    for (at, code) in expected.into_iter().enumerate() {
        let answer = answers.message().await.unwrap().expect("the stream goes on");
        assert_eq!(answer.valid_host, "a");
        let told = match answer.message_response.unwrap() {
            MessageResponse::ErrorResponse(error) => Code::from_i32(error.error_code),
            _ => Code::Ok,
        };
        assert_eq!(told, code, "question {at}");
    }
    assert_eq!(answers.message().await.unwrap(), None);
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let site = Site::start(Options { reflection: false, ..options() }).await;
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(site.channel().await);
    let status = client.server_reflection_info(tokio_stream::empty()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_stream_that_is_kept_open_does_not_hold_up_a_drain() {
    let mut options = options();
    options.limits.server.drain_time_max = PATIENCE * 2;
    let mut site = Site::start(options).await;
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(site.channel().await);
    let requests = tokio_stream::pending();
    let mut answers = client.server_reflection_info(requests).await.unwrap().into_inner();
    site.stop();
    assert_eq!(answers.message().await.unwrap(), None);
    assert_eq!(site.drained().await.cut, 0);
}
