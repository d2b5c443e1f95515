//! A provider that was away when the gateway started, or is up and has not described itself: every door says the same.

use std::{net::SocketAddr, time::Duration};

use http::{Method, StatusCode};
use ispbridge_kit::http1::get as get_admin;
use serde_json::Value;
use tokio::{net::TcpListener, time::sleep};
use tonic::{Code, Status};
use tonic_reflection::pb::v1::{
    ExtensionRequest, ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt;

use super::{Answer, post, send, stream, web};
use crate::{
    KEY,
    backend::{ADD, Backend, GET, SERVICE},
    caller::{ALL, NOBODY, READER, Suite},
    payload,
};

const NOT_SERVING: i32 = 2;

/// An address that nobody listens at, and that can be taken later.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Code, reason and the hint when to come again, by every door that needs to know messages.
async fn through_json(suite: &Suite, method: &str) -> Vec<(String, String, bool)> {
    let unary = post(suite, method, "application/json", "{}").await;
    assert_eq!(unary.status, StatusCode::SERVICE_UNAVAILABLE, "{unary:?}");
    let streamed = post(suite, method, "application/connect+json", stream::envelope(0, "{}")).await;
    let ended = stream::split(&streamed).1["error"].clone();
    vec![told(&unary.json()), told(&ended)]
}

fn told(error: &Value) -> (String, String, bool) {
    let details = error["details"].as_array().unwrap();
    let is_retry = |detail: &Value| detail["type"] == "google.rpc.RetryInfo";
    let reason = details.iter().find_map(|detail| detail["debug"]["reason"].as_str()).unwrap();
    (error["code"].as_str().unwrap().to_owned(), reason.to_owned(), details.iter().any(is_retry))
}

fn not_ready() -> (String, String, bool) {
    ("unavailable".to_owned(), "CATALOG_NOT_READY".to_owned(), true)
}

/// Asks as caches like it.
async fn get(suite: &Suite, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(suite, Method::GET, &format!("{path}?connect=v1&encoding=json&message=%7B%7D"), headers, "").await
}

fn assert_unavailable(status: &Status, reason: &str) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.get_details_retry_info().is_some(), "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!((&*info.reason, &*info.metadata["outcome"]), (reason, "NOT_SENT"));
}

async fn works(suite: &Suite, path: &str) -> Answer {
    loop {
        let answer = post(suite, path, "application/json", "{\"name\":\"abc\"}").await;
        if answer.status == StatusCode::OK {
            return answer;
        }
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn one_that_was_away_at_the_start_is_unavailable_through_every_door_until_it_comes() {
    let address = nobody().await;
    let suite = Suite::over(address).await;
    for path in [GET, ADD] {
        assert_unavailable(&suite.call(path, &[KEY], payload()).await.status(), "SERVICE_UNREACHABLE");
        for told in through_json(&suite, path).await {
            assert_eq!(told, not_ready(), "{path}");
        }
        assert_eq!(told(&get(&suite, path, &[KEY]).await.json()), not_ready(), "{path}");
        let web = post(&suite, path, "application/grpc-web+proto", payload()).await;
        let trailers = web::split(&web.body).1.join("\n") + &format!("{:?}", web.headers);
        assert!(trailers.contains("grpc-status: 14") || trailers.contains("\"grpc-status\": \"14\""), "{web:?}");
    }
    // Who may not call learns nothing of it.
    let refused = send(&suite, Method::POST, GET, &[("content-type", "application/json"), ("x-api-key", NOBODY)], "{}");
    assert_eq!(refused.await.status, StatusCode::FORBIDDEN);
    assert_eq!(get(&suite, GET, &[]).await.status, StatusCode::UNAUTHORIZED);
    for (key, expected) in [(ALL, Ok(NOT_SERVING)), (READER, Ok(NOT_SERVING)), (NOBODY, Err(Code::NotFound))] {
        assert_eq!(suite.health(SERVICE, &[("x-api-key", key)]).await, expected);
    }
    let verbose = async || get_admin(suite.running.admin_addr().unwrap(), "/readyz?verbose").await;
    let told = "[-]fake-isp down: 0 of 1 instances up, not described yet";
    let text = verbose().await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains(told), "{text}");
    let _backend = Backend::start_at(address).await;
    works(&suite, GET).await;
    assert_eq!(suite.health(SERVICE, &[KEY]).await, Ok(1));
    assert!(verbose().await.contains(": 1 of 1 instances up, 6 methods"), "{}", verbose().await);
    let wrong = post(&suite, &format!("/{SERVICE}/Nothing"), "application/json", "{}").await;
    assert_eq!(wrong.error().1, "METHOD_UNKNOWN");
}

#[tokio::test]
async fn one_that_has_not_described_itself_is_unavailable_where_messages_must_be_known() {
    let (backend, other) = (Backend::start().await, Backend::start().await);
    backend.hide(true);
    // Another provider that is known makes no difference.
    let suite = Suite::before_two_unlearnt(&backend, &other).await;
    for path in [GET, ADD] {
        for told in through_json(&suite, path).await {
            assert_eq!(told, not_ready(), "{path}");
        }
        let reader = suite.call(path, &[("x-api-key", READER), ("x-ispbridge-account", "main")], payload()).await;
        assert_unavailable(&reader.status(), "CATALOG_NOT_READY");
    }
    assert_eq!(told(&get(&suite, GET, &[KEY]).await.json()), not_ready());
    assert!(backend.arrivals().is_empty());
    // Whoever brings protobuf and a grant that names the method needs nothing of it.
    assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
    backend.hide(false);
    works(&suite, GET).await;
}

/// What reflection says of these questions, in order: a code, or what is there.
async fn reflected(suite: &Suite, key: &str, questions: Vec<MessageRequest>) -> Vec<Result<usize, (Code, String)>> {
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", suite.running.grpc_addr())).unwrap();
    let mut client = ServerReflectionClient::new(channel.connect().await.unwrap());
    let asked = questions.into_iter().map(|question| ServerReflectionRequest {
        message_request: Some(question),
        ..ServerReflectionRequest::default()
    });
    let mut request = tonic::Request::new(tokio_stream::iter(asked.collect::<Vec<_>>()));
    request.metadata_mut().insert("x-api-key", key.parse().unwrap());
    let mut answers = client.server_reflection_info(request).await.unwrap().into_inner();
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        all.push(match answer.message_response.unwrap() {
            MessageResponse::FileDescriptorResponse(files) => Ok(files.file_descriptor_proto.len()),
            MessageResponse::ListServicesResponse(list) => Ok(list.service.len()),
            MessageResponse::AllExtensionNumbersResponse(numbers) => Ok(numbers.extension_number.len()),
            MessageResponse::ErrorResponse(error) => Err((Code::from_i32(error.error_code), error.error_message)),
        });
    }
    all
}

/// A service, a method, a message, a file and an extension of the absent provider, and the list.
fn questions() -> Vec<MessageRequest> {
    let extension = ExtensionRequest { containing_type: "ispbridge.fake_isp.v1.Thing".to_owned(), extension_number: 1 };
    vec![
        MessageRequest::FileContainingSymbol(SERVICE.to_owned()),
        MessageRequest::FileContainingSymbol(format!("{SERVICE}.GetCustomer")),
        MessageRequest::FileByFilename("ispbridge/fake_isp/v1/customer.proto".to_owned()),
        MessageRequest::FileContainingExtension(extension),
        MessageRequest::AllExtensionNumbersOfType("ispbridge.fake_isp.v1.Thing".to_owned()),
        MessageRequest::ListServices(String::new()),
    ]
}

#[tokio::test]
async fn one_that_was_never_there_is_not_described_yet_and_not_unknown() {
    let address = nobody().await;
    let suite = Suite::over(address).await;
    let others = ["ispbridge.none.v1.Service", "other.v1.Service"];
    let others = others.map(|name| MessageRequest::FileContainingSymbol(name.to_owned()));
    for answer in reflected(&suite, ALL, questions()).await {
        let (code, text) = answer.unwrap_err();
        assert!(code == Code::Unavailable && text.contains("fake-isp has not described itself yet"), "{text}");
    }
    // Nobody learns of providers that no grant reaches, and what does not exist is not found.
    for answer in reflected(&suite, NOBODY, questions().into_iter().take(5).collect()).await {
        assert_eq!(answer.unwrap_err().0, Code::NotFound);
    }
    for answer in reflected(&suite, ALL, others.to_vec()).await {
        assert_eq!(answer.unwrap_err().0, Code::NotFound);
    }
    let standard = MessageRequest::FileContainingSymbol("grpc.health.v1.Health".to_owned());
    assert_eq!(reflected(&suite, ALL, vec![standard]).await, [Ok(1)]);
    let document = send(&suite, Method::GET, "/openapi.json", &[KEY], "").await;
    assert_eq!((document.status.as_u16(), told(&document.json())), (503, not_ready()));

    let _backend = Backend::start_at(address).await;
    works(&suite, GET).await;
    let found = reflected(&suite, ALL, questions()).await;
    assert!(found.iter().take(3).all(Result::is_ok) && found[5].is_ok(), "{found:?}");
    assert_eq!(found[3].as_ref().unwrap_err().0, Code::NotFound);
    let document = send(&suite, Method::GET, "/openapi.json", &[KEY], "").await.json();
    assert!(document["paths"][GET].is_object() && document["x-not-described"].is_null());
}

#[tokio::test]
async fn a_document_names_those_that_are_missing() {
    let (backend, other) = (Backend::start().await, Backend::start().await);
    backend.hide(true);
    let suite = Suite::before_two_unlearnt(&backend, &other).await;
    let read = async |key: &str| send(&suite, Method::GET, "/openapi.json", &[("x-api-key", key)], "").await.json();
    let document = loop {
        let document = read(ALL).await;
        if document["openapi"].is_string() {
            break document;
        }
        sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(document["x-not-described"], serde_json::json!(["fake-isp"]), "{document}");
    assert!(document["info"]["description"].as_str().unwrap().contains("missing here: fake-isp"));
    assert!(read(NOBODY).await["x-not-described"].is_null());
    backend.hide(false);
    works(&suite, GET).await;
    assert!(read(ALL).await["x-not-described"].is_null());
}
