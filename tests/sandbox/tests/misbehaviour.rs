//! What an upstream does when told to be bad.

use std::io::ErrorKind;
use std::net::SocketAddr;

use ispbridge_sandbox::{Config, Credentials, Fault, Kind, Sandbox};

use crate::wire::{Reply, replay, sandbox, send};

const ADD: &str = "azotel/03-addCustomer-flatlist";

fn recording() -> Vec<u8> {
    std::fs::read(format!("{}/tests/captures/{ADD}.http", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

async fn spoilt(sandbox: &Sandbox, kind: Kind) -> std::io::Result<Reply> {
    sandbox.fault("azotel", Fault::once("addCustomer", kind));
    crate::wire::exchange(sandbox.address("azotel"), &recording()).await
}

fn executed(sandbox: &Sandbox) -> u64 {
    sandbox.executed("azotel", "addCustomer")
}

#[tokio::test]
async fn a_reset_is_a_real_one_before_and_after_the_work() {
    let sandbox = sandbox().await;
    let before = spoilt(&sandbox, Kind::ResetBeforeCommit).await;
    assert_eq!((before.unwrap_err().kind(), executed(&sandbox)), (ErrorKind::ConnectionReset, 0));
    let after = spoilt(&sandbox, Kind::ResetAfterCommit).await;
    assert_eq!((after.unwrap_err().kind(), executed(&sandbox)), (ErrorKind::ConnectionReset, 1));
    let healthy = replay(sandbox.address("azotel"), ADD, None).await;
    assert!(healthy.body.contains("OK:102"));
}

#[tokio::test]
async fn a_truncated_reply_announces_more_than_it_brings() {
    let sandbox = sandbox().await;
    let reply = spoilt(&sandbox, Kind::TruncateAfterCommit).await.unwrap();
    let announced: usize = reply.header("content-length").unwrap().parse().unwrap();
    assert_eq!((reply.status, reply.body.len()), (200, announced / 2));
    assert_eq!(executed(&sandbox), 1);
}

#[tokio::test]
async fn replies_that_are_not_the_upstreams_own() {
    let sandbox = sandbox().await;
    let login = spoilt(&sandbox, Kind::HtmlLoginPage).await.unwrap();
    assert_eq!((login.status, login.header("content-type")), (200, Some("text/html;charset=utf-8")));
    let limited = spoilt(&sandbox, Kind::RateLimit { retry_after: 7 }).await.unwrap();
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    let crashed = spoilt(&sandbox, Kind::Http500 { after_commit: false }).await.unwrap();
    assert!(crashed.status == 500 && crashed.body.contains("<faultcode>soap:Server</faultcode>"));
    assert_eq!(executed(&sandbox), 0);
    let mistyped = spoilt(&sandbox, Kind::WrongContentType).await.unwrap();
    assert_eq!(mistyped.header("content-type"), Some("text/plain"));
    spoilt(&sandbox, Kind::Http500 { after_commit: true }).await.unwrap();
    assert_eq!(executed(&sandbox), 2);
}

#[tokio::test]
async fn a_late_reply_does_the_work_first_when_told_so() {
    let sandbox = sandbox().await;
    let slow = spoilt(&sandbox, Kind::Latency { ms: 600_000, after_commit: true });
    let impatient = tokio::time::timeout(std::time::Duration::from_millis(200), slow).await;
    assert!(impatient.is_err());
    assert_eq!(executed(&sandbox), 1);
}

#[tokio::test]
async fn orders_are_taken_over_http_too() {
    let sandbox = sandbox().await;
    let control = async |line: &str, body: &str| -> Reply { order(sandbox.address("azotel"), line, body).await };
    let fault = r#"{"path_or_method":"*","times":2,"kind":"rate_limit","retry_after":1}"#;
    assert_eq!(control("POST /_sandbox/faults", fault).await.status, 204);
    assert_eq!(replay(sandbox.address("azotel"), ADD, None).await.status, 429);
    assert_eq!(control("DELETE /_sandbox/faults", "").await.status, 204);
    assert_eq!(replay(sandbox.address("azotel"), ADD, None).await.status, 200);
    let counts = control("GET /_sandbox/requests", "").await.json();
    assert_eq!((&counts["received"]["addCustomer"], &counts["executed"]["addCustomer"]), (&2.into(), &1.into()));
    assert_eq!(control("POST /_sandbox/faults", r#"{"kind":"nonsense"}"#).await.status, 400);
    assert_eq!(control("POST /_sandbox/reset", "").await.status, 204);
    assert!(replay(sandbox.address("azotel"), ADD, None).await.body.contains("OK:101"));
    assert_eq!(executed(&sandbox), 1);
}

#[tokio::test]
async fn credentials_are_an_instances_own() {
    let credentials = Credentials::default().with("azotel", "password", "canary");
    let sandbox = Sandbox::start(Config { credentials, ..Config::default() }).await.unwrap();
    assert!(replay(sandbox.address("azotel"), "azotel/13-pingAPI", None).await.body.contains("ERROR: access denied"));
}

async fn order(address: SocketAddr, line: &str, body: &str) -> Reply {
    send(address, line, "Content-Type: application/json\r\n", body).await.unwrap()
}

#[tokio::test]
async fn azotels_rest_door_misbehaves_by_the_same_names() {
    let sandbox = sandbox().await;
    let body = r#"{"api_username":"apiuser","api_password":"apipass","name":"J","nickname":"J","invoicingid":"J"}"#;
    let ask = || send(sandbox.address("azotel"), "POST /restapi/API/addCustomer", "", body);
    sandbox.fault("azotel", Fault::once("addCustomer", Kind::Http500 { after_commit: true }));
    let crashed = ask().await.unwrap();
    assert_eq!((crashed.status, crashed.header("content-type")), (500, Some("text/html;charset=utf-8")));
    sandbox.fault("azotel", Fault::once("/restapi/API/addCustomer", Kind::ResetAfterCommit));
    assert_eq!((ask().await.unwrap_err().kind(), executed(&sandbox)), (ErrorKind::ConnectionReset, 2));
    assert_eq!(ask().await.unwrap().json()["result"], "OK:103");
}
