//! What reflection answers to every question that its protocol has.

use std::convert::Infallible;

use bytes::Bytes;
use prost::Message;
use prost_types::FileDescriptorProto;
use serving::Reflection;
use tonic::{Code, body::Body};
use tonic_reflection::pb::{
    v1::{
        ExtensionRequest, ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
    v1alpha,
};

use crate::probe::{connected, started};

const CONTRACT: &str = r#"
syntax = "proto3";
package chassis.shop.v1;
import "google/protobuf/descriptor.proto";
service ShopService { rpc Buy(Order) returns (Order); }
message Order {
  message Line { string text = 1; }
  enum State { STATE_UNSPECIFIED = 0; STATE_PAID = 1; }
  extend google.protobuf.FieldOptions { string unit = 50002; }
  oneof by { string name = 1; Line line = 2; }
}
enum Colour { COLOUR_UNSPECIFIED = 0; }
extend google.protobuf.FieldOptions { bool secret = 50001; }
"#;

fn reflection() -> Reflection {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.proto"), CONTRACT).unwrap();
    let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
    compiler.include_imports(true).open_file("shop.proto").unwrap();
    let pool = compiler.descriptor_pool();
    let files = pool.files().map(|file| Bytes::from(file.encode_to_vec()));
    Reflection::new(files).unwrap()
}

/// Asks all questions over one stream; an error as its code, a file as its name, a list as its entries.
async fn answers(questions: Vec<MessageRequest>) -> Vec<Result<Vec<String>, Code>> {
    let reflection = reflection();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let reflection = reflection.clone();
        async move { Ok::<_, Infallible>(reflection.answer(request).await) }
    });
    let asked = questions
        .into_iter()
        .map(|question| ServerReflectionRequest { host: "shop".to_owned(), message_request: Some(question) });
    let asked = tokio_stream::iter(asked.collect::<Vec<_>>());
    let mut stream = ServerReflectionClient::new(service).server_reflection_info(asked).await.unwrap().into_inner();
    let mut answers = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        assert!(answer.valid_host == "shop" && answer.original_request.is_some());
        answers.push(told(answer.message_response.unwrap()));
    }
    answers
}

fn told(answer: MessageResponse) -> Result<Vec<String>, Code> {
    match answer {
        MessageResponse::FileDescriptorResponse(files) => {
            let files = files.file_descriptor_proto.iter();
            Ok(files.map(|file| FileDescriptorProto::decode(file.as_slice()).unwrap().name().to_owned()).collect())
        }
        MessageResponse::AllExtensionNumbersResponse(numbers) => {
            let numbers_of = numbers.extension_number.iter().map(i32::to_string);
            Ok([numbers.base_type_name].into_iter().chain(numbers_of).collect())
        }
        MessageResponse::ListServicesResponse(list) => Ok(list.service.into_iter().map(|one| one.name).collect()),
        MessageResponse::ErrorResponse(error) => Err(Code::from(error.error_code)),
    }
}

async fn ask(questions: &[&str], of: fn(String) -> MessageRequest) -> Vec<Result<Vec<String>, Code>> {
    answers(questions.iter().map(|name| of((*name).to_owned())).collect()).await
}

fn found(names: &[&str]) -> Result<Vec<String>, Code> {
    Ok(names.iter().map(|&name| name.to_owned()).collect())
}

#[tokio::test]
async fn every_symbol_is_in_its_file() {
    let declared = [
        "ShopService",
        "ShopService.Buy",
        "Order",
        "Order.name",
        "Order.by",
        "Order.Line",
        "Order.Line.text",
        "Order.State",
        "Order.STATE_PAID",
        "Order.unit",
        "Colour",
        "COLOUR_UNSPECIFIED",
        "secret",
    ];
    let names = declared.map(|name| format!("chassis.shop.v1.{name}"));
    let answers = ask(&names.each_ref().map(String::as_str), MessageRequest::FileContainingSymbol).await;
    for (name, answer) in names.iter().zip(answers) {
        assert_eq!(answer, found(&["shop.proto"]), "{name}");
    }
}

#[tokio::test]
async fn what_errors_carry_is_known_by_its_published_file() {
    let symbols = ["google.rpc.ErrorInfo", "google.rpc.BadRequest.FieldViolation", "google.rpc.Status"];
    let details = "google/rpc/error_details.proto";
    let expected = [found(&[details]), found(&[details]), found(&["google/rpc/status.proto"])];
    assert_eq!(ask(&symbols, MessageRequest::FileContainingSymbol).await, expected);
    let files = [
        details,
        "google/rpc/status.proto",
        "google/protobuf/any.proto",
        "google/protobuf/duration.proto",
        "grpc/health/v1/health.proto",
        "grpc/reflection/v1/reflection.proto",
        "grpc/reflection/v1alpha/reflection.proto",
    ];
    assert_eq!(ask(&files, MessageRequest::FileByFilename).await, files.map(|file| found(&[file])));
}

#[tokio::test]
async fn extensions_are_found_by_what_they_extend() {
    let options = "google.protobuf.FieldOptions";
    let types = [options, "chassis.shop.v1.Order", "chassis.shop.v1.Nothing"];
    let answers = ask(&types, MessageRequest::AllExtensionNumbersOfType).await;
    let expected = [found(&[options, "50001", "50002"]), found(&["chassis.shop.v1.Order"]), Err(Code::NotFound)];
    assert_eq!(answers, expected);
    let asked = [50_001, 50_002, 1]
        .map(|extension_number| ExtensionRequest { containing_type: options.to_owned(), extension_number });
    let asked = asked.map(MessageRequest::FileContainingExtension);
    let expected = [found(&["shop.proto"]), found(&["shop.proto"]), Err(Code::NotFound)];
    assert_eq!(answers_to(asked).await, expected);
}

async fn answers_to(asked: impl IntoIterator<Item = MessageRequest>) -> Vec<Result<Vec<String>, Code>> {
    answers(asked.into_iter().collect()).await
}

#[tokio::test]
async fn what_is_unknown_does_not_end_the_stream() {
    let nothing = || "chassis.shop.v1.Order.nothing".to_owned();
    let asked = [
        MessageRequest::FileContainingSymbol(nothing()),
        MessageRequest::FileByFilename("nothing.proto".to_owned()),
        MessageRequest::ListServices(String::new()),
    ];
    let services = [
        "chassis.shop.v1.ShopService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ];
    assert_eq!(answers_to(asked).await, [Err(Code::NotFound), Err(Code::NotFound), found(&services)]);
}

#[tokio::test]
async fn a_process_answers_under_both_names() {
    let running = started("").await;
    let channel = connected(running.grpc_addr()).await;
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::FileContainingSymbol("chassis.test.v1.ProbeService".to_owned())),
        ..Default::default()
    };
    let old = v1alpha::ServerReflectionRequest::decode(request.encode_to_vec().as_slice()).unwrap();
    let mut client = ServerReflectionClient::new(channel.clone());
    let new = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner().message().await;
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let old = client.server_reflection_info(tokio_stream::once(old)).await.unwrap().into_inner().message().await;
    let (new, old) = (new.unwrap().unwrap(), old.unwrap().unwrap());
    assert_eq!(new.encode_to_vec(), old.encode_to_vec());
    assert_eq!(told(new.message_response.unwrap()), found(&["chassis/test/v1/probe.proto"]));
}

#[tokio::test]
async fn it_can_be_off() {
    let running = started("[server]\nreflection = false").await;
    let mut client = ServerReflectionClient::new(connected(running.grpc_addr()).await);
    let status = client.server_reflection_info(tokio_stream::empty()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
