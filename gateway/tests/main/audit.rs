//! The audit log of the gateway: calls that must not go on without it, and changes of its own.

use std::fs;

use serde_json::{Value, json};
use tonic::Code;

use crate::{
    KEY,
    apart::Apart,
    backend::{ADD, Backend, GET},
    caller::{NOBODY, Suite},
    info, payload,
    status::admin,
};

fn lines(file: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_write_that_cannot_be_written_down_is_not_sent() {
    let backend = Backend::start().await;
    let suite = Suite::start_with(&backend, "audit = { file = \"/dev/full\", on_loss = \"refuse\" }").await;
    let refused = suite.call(ADD, &[KEY], payload()).await;
    assert_eq!((refused.code(), refused.info()), (Code::Unavailable, info("AUDIT_UNAVAILABLE", "NOT_SENT")));
    assert!(tonic_types::StatusExt::get_details_retry_info(&refused.status()).is_some());
    assert!(backend.arrivals().is_empty(), "nothing was sent");
    assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok, "reads go on");
    let denied = suite.call(ADD, &[("x-api-key", NOBODY)], payload()).await;
    assert_eq!(denied.code(), Code::PermissionDenied, "what is refused anyway needs no log");
    let (head, body) = admin(suite.running.admin_addr().unwrap(), "GET /readyz?verbose").await;
    assert!(
        head.starts_with("HTTP/1.1 200") && body.contains("[-]audit cannot be written: writes are refused"),
        "{body}"
    );
}

#[tokio::test]
async fn a_write_is_announced_before_it_is_sent_and_written_down_after() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let backend = Backend::start().await;
    let suite = Suite::start_with(&backend, &format!("audit = {{ file = {file:?}, on_loss = \"refuse\" }}")).await;
    assert_eq!(suite.call(ADD, &[KEY, ("x-request-id", "w1")], payload()).await.code(), Code::Ok);
    assert_eq!(suite.call(GET, &[KEY], payload()).await.code(), Code::Ok);
    suite.running.drain().await;
    let lines = lines(&file);
    let [begun, ended] = lines.as_slice() else { panic!("{lines:?}") };
    let facts = ["kind", "request_id", "principal", "account", "method", "provider"].map(|name| &begun[name]);
    let method = "ispbridge.fake_isp.v1.CustomerService/AddCustomer";
    assert_eq!(facts.map(Value::as_str), ["begin", "w1", "all", "main", method, "fake-isp"].map(Some));
    assert_eq!(
        (&ended["request_id"], &ended["code"], &begun["trace_id"]),
        (&json!("w1"), &json!("OK"), &ended["trace_id"])
    );
}

#[tokio::test]
async fn changes_of_the_log_level_are_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let gateway = Apart::start(folder.path(), &format!("audit = {{ file = {file:?} }}"));
    for what in ["PUT /log?level=debug", "PUT /log?level=ispbridge=loud", "DELETE /log"] {
        admin(gateway.admin, what).await;
    }
    while lines(&file).len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let seen: Vec<_> =
        lines(&file).iter().map(|line| ["kind", "before", "after"].map(|name| line[name].clone())).collect();
    assert_eq!(seen, [["log", "info", "debug"], ["log", "debug", "info"]].map(|line| line.map(|word| json!(word))));
    assert!(lines(&file)[0]["actor"].as_str().unwrap().starts_with("admin 127.0.0.1:"));
}
