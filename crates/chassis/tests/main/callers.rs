//! Whom the process believes.

use std::io::Write;

use protocol::caller::Root;
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;

use crate::probe::{READ, connected, send, started};

const ROOT: &str = "an invented root of the tests, long enough";

async fn guarded() -> (chassis::Running, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let key = Root::new("k1", ROOT).unwrap().derive("chassis-probe");
    writeln!(file, "{}", key.to_text()).unwrap();
    let config = format!("[callers]\nkeys = [{{ id = \"k1\", secret = {{ file = {:?} }} }}]", file.path());
    (started(&config).await, file)
}

fn request(text: &str, context: Option<http::HeaderValue>) -> Request<String> {
    let mut request = Request::new(text.to_owned());
    if let Some(context) = context {
        request.metadata_mut().insert("x-ispbridge-context", context.to_str().unwrap().parse().unwrap());
        request.metadata_mut().insert("x-request-id", "r".parse().unwrap());
    }
    request
}

#[tokio::test]
async fn without_the_gateways_word_nobody_gets_in() {
    let (running, _file) = guarded().await;
    let channel = connected(running.grpc_addr()).await;
    let method = READ.trim_start_matches('/');
    let root = Root::new("k1", ROOT).unwrap();
    let other_service = root.signer("ispbridge-aex").sign("p", "a", method, "r");
    let other_method = root.signer("chassis-probe").sign("p", "a", "chassis.test.v1.ProbeService/Write", "r");
    for context in [None, Some(other_service), Some(other_method), Some("v2.k1.e30.AAAA".parse().unwrap())] {
        let status = send(channel.clone(), READ, request("hello", context)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.metadata["outcome"].as_str()), ("CALLER_CONTEXT", "NOT_SENT"));
    }
}

#[tokio::test]
async fn the_account_is_the_gateways_word_and_not_the_callers() {
    let (running, _file) = guarded().await;
    let channel = connected(running.grpc_addr()).await;
    let signer = Root::new("k1", ROOT).unwrap().signer("chassis-probe");
    let context = |account| Some(signer.sign("team", account, READ.trim_start_matches('/'), "r"));
    let mut forged = request("show x-ispbridge-account", context("main"));
    forged.metadata_mut().insert("x-ispbridge-account", "forged".parse().unwrap());
    assert_eq!(send(channel.clone(), READ, forged).await.unwrap().get_ref(), "main");
    let mut none = request("show x-ispbridge-account", context(""));
    none.metadata_mut().insert("x-ispbridge-account", "forged".parse().unwrap());
    assert_eq!(send(channel.clone(), READ, none).await.unwrap().get_ref(), "(absent)");
    let gone = request("show x-ispbridge-context", context("main"));
    assert_eq!(send(channel, READ, gone).await.unwrap().get_ref(), "(absent)");
}

#[tokio::test]
async fn open_callers_choose_the_account_themselves() {
    let running = started("").await;
    let mut request = request("show x-ispbridge-account", None);
    request.metadata_mut().insert("x-ispbridge-account", "second".parse().unwrap());
    assert_eq!(send(connected(running.grpc_addr()).await, READ, request).await.unwrap().get_ref(), "second");
}

#[tokio::test]
async fn health_needs_no_word() {
    let (running, _file) = guarded().await;
    let mut client = HealthClient::new(connected(running.grpc_addr()).await);
    for service in ["", "chassis.test.v1.ProbeService"] {
        let answer = client.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(answer.get_ref().status(), ServingStatus::Serving);
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_a_configuration_error() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "hunter2").unwrap();
    let config = format!("[callers]\nkeys = [{{ id = \"k1\", secret = {{ file = {:?} }} }}]", file.path());
    let error = chassis::start::<crate::probe::Probe>(config.parse().unwrap()).await.unwrap_err();
    assert_eq!(error.exit_code(), 64);
    assert!(error.to_string().contains("callers.keys") && !error.to_string().contains("hunter2"), "{error}");
}
