//! A gRPC client that knows no contract: it asks the server's reflection for descriptors, makes
//! requests out of JSON and turns answers into JSON, as grpcurl does.

use prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

/// A connection to a gRPC server, and what it said about itself.
#[derive(Clone)]
pub struct Grpc {
    channel: Channel,
    pool: DescriptorPool,
    metadata: MetadataMap,
}

impl Grpc {
    /// Connects to an address such as `http://127.0.0.1:9001` and asks for every service's
    /// descriptors.
    pub async fn connect(address: &str) -> Grpc {
        let channel = Channel::from_shared(address.to_owned()).expect("an address");
        let channel = channel.connect().await.expect("a connection");
        let pool = describe(&channel).await;
        Grpc { channel, pool, metadata: MetadataMap::new() }
    }

    /// The same with a bearer token.
    pub fn with_token(&self, token: &str) -> Grpc {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// The same with further metadata.
    pub fn with(&self, name: &'static str, value: &str) -> Grpc {
        let mut with = self.clone();
        with.metadata.insert(name, value.parse().expect("a metadata value"));
        with
    }

    /// The full names of the services.
    pub fn services(&self) -> BTreeSet<String> {
        self.pool.services().map(|service| service.full_name().to_owned()).collect()
    }

    /// The methods of a service.
    pub fn methods(&self, service: &str) -> Vec<String> {
        let service = self.pool.get_service_by_name(service).expect("a service");
        service.methods().map(|method| method.name().to_owned()).collect()
    }

    /// The fields of a message by the names they have in JSON, with their numbers.
    pub fn fields(&self, message: &str) -> Vec<(String, u32)> {
        let message = self.pool.get_message_by_name(message).expect("a message");
        let mut fields: Vec<_> =
            message.fields().map(|field| (field.json_name().to_owned(), field.number())).collect();
        fields.sort_by_key(|(_, number)| *number);
        fields
    }

    /// One call: `BillingService/CreateBillingAccount` with a message as JSON.
    pub async fn call(&self, method: &str, message: &Value) -> Result<Value, Status> {
        self.call_at(method, message, None).await
    }

    /// The same by a deadline.
    pub async fn call_at(
        &self,
        method: &str,
        message: &Value,
        deadline: Option<std::time::Duration>,
    ) -> Result<Value, Status> {
        let descriptor = self.method(method);
        let message = DynamicMessage::deserialize(descriptor.input(), message.clone())
            .unwrap_or_else(|error| panic!("{method} does not take {message}: {error}"));
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        let path = format!("/{method}").parse().expect("a path");
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let answer = grpc.unary(request, path, Dynamic(descriptor.output())).await?;
        let options = prost_reflect::SerializeOptions::new().skip_default_fields(false);
        let serializer = serde_json::value::Serializer;
        let answer = answer.into_inner().serialize_with_options(serializer, &options);
        Ok(answer.expect("JSON"))
    }

    fn method(&self, method: &str) -> MethodDescriptor {
        let (service, name) = method.split_once('/').expect("service/Method");
        let service = self.pool.get_service_by_name(service);
        let service = service.unwrap_or_else(|| panic!("there is no {method}"));
        let found = service.methods().find(|method| method.name() == name);
        found.unwrap_or_else(|| panic!("there is no {method}"))
    }
}

/// Every service's descriptors.
async fn describe(channel: &Channel) -> DescriptorPool {
    let mut files = BTreeMap::new();
    let listed = ask(channel, MessageRequest::ListServices(String::new())).await;
    let MessageResponse::ListServicesResponse(services) = listed else {
        panic!("not a list: {listed:?}")
    };
    let mut wanted: Vec<_> = services
        .service
        .into_iter()
        .map(|service| MessageRequest::FileContainingSymbol(service.name))
        .collect();
    while let Some(request) = wanted.pop() {
        let answer = ask(channel, request).await;
        let MessageResponse::FileDescriptorResponse(found) = answer else {
            panic!("not a file: {answer:?}")
        };
        for bytes in found.file_descriptor_proto {
            let file = FileDescriptorProto::decode(bytes.as_slice()).expect("a descriptor");
            let imports = file.dependency.iter().filter(|name| !files.contains_key(*name));
            wanted.extend(imports.cloned().map(MessageRequest::FileByFilename));
            files.insert(file.name().to_owned(), file);
        }
    }
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(files.into_values()).expect("descriptors that fit together");
    pool
}

async fn ask(channel: &Channel, request: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let mut client = ServerReflectionClient::new(channel.clone());
    let requests = futures::stream::iter([request]);
    let mut answers =
        client.server_reflection_info(requests).await.expect("reflection").into_inner();
    let answer: ServerReflectionResponse =
        answers.message().await.expect("an answer").expect("one");
    answer.message_response.expect("a message")
}

/// Messages by descriptor.
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Dynamic;
    type Decoder = Dynamic;

    fn encoder(&mut self) -> Dynamic {
        Dynamic(self.0.clone())
    }

    fn decoder(&mut self) -> Dynamic {
        Dynamic(self.0.clone())
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(to).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.0.clone(), from);
        message.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
