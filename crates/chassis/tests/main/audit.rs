//! What stays of a call that changed something.

use std::fs;

use serde_json::{Value, json};
use tonic::Request;

use crate::probe::{READ, WRITE, connected, send, started};

#[tokio::test]
async fn a_write_is_written_down_with_its_request_and_without_what_is_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let running = started(&format!("[audit]\nfile = {file:?}")).await;
    let channel = connected(running.grpc_addr()).await;
    for (path, text, id) in [(READ, "hunter2", "r1"), (WRITE, "hunter2", "w1"), (WRITE, "panic hunter2", "w2")] {
        let mut request = Request::new(text.to_owned());
        request.metadata_mut().insert("x-request-id", id.parse().unwrap());
        request.metadata_mut().insert("x-ispbridge-account", "main".parse().unwrap());
        let _ = send(channel.clone(), path, request).await;
    }
    running.drain().await;
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [done, failed] = lines.as_slice() else { panic!("{text}") };
    assert_eq!((&done["request_id"], &done["code"], &done["account"]), (&json!("w1"), &json!("OK"), &json!("main")));
    assert_eq!(done["request"], json!({ "extra_fields": "REDACTED" }));
    assert_eq!((&done["request_bytes"], &done["reply_bytes"]), (&json!(14), &json!(14)));
    let how = (&failed["request_id"], &failed["code"], &failed["reason"], &failed["outcome"]);
    assert_eq!(how, (&json!("w2"), &json!("INTERNAL"), &json!("PANIC"), &json!("UNKNOWN")));
}
