use std::{fs, path::Path};

use opentelemetry::trace::TraceId;
use protocol::redact::Redactor;
use tonic::Code;

use super::*;

#[derive(Debug)]
struct Nothing;

impl Describe for Nothing {
    fn redactor(&self, _: &str) -> Option<Arc<Redactor>> {
        None
    }
}

fn open(path: &Path) -> Audit {
    let settings = AuditSettings { file: Some(path.to_owned()), ..AuditSettings::default() };
    let meter = opentelemetry::metrics::MeterProvider::meter(
        &opentelemetry_sdk::metrics::SdkMeterProvider::builder().build(),
        "test",
    );
    Audit::open("test", &settings, &meter, Arc::new(Nothing)).unwrap().unwrap()
}

fn call(request_id: &str) -> CompletedCall<'_> {
    CompletedCall {
        process: "test",
        method: "ispbridge.fake_isp.v1.CustomerService/AddCustomer",
        is_known: true,
        writes: true,
        code: Code::Ok,
        reason: None,
        took: Duration::from_micros(1_234_567),
        service_took: None,
        upstream_took: None,
        principal: Some("a \"quoted\"\nname"),
        authentication: Some("api_key"),
        client_address: Some([192, 0, 2, 7].into()),
        account: Some("main"),
        instance: None,
        request_id,
        trace_id: TraceId::INVALID,
        request_bytes: 5,
        reply_bytes: 7,
        captured: None,
        announced: None,
    }
}

fn lines(path: &Path) -> Vec<Json> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_write_is_one_line_and_a_read_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let audit = open(&path);
    audit.ended(&call("one"));
    audit.ended(&CompletedCall { writes: false, ..call("two") });
    audit.end(Duration::from_secs(5)).await;
    let lines = lines(&path);
    assert_eq!(lines.len(), 1);
    let expected = serde_json::json!({
        "time": lines[0]["time"], "process": "test", "provider": "fake-isp",
        "method": "ispbridge.fake_isp.v1.CustomerService/AddCustomer", "writes": true,
        "principal": "a \"quoted\"\nname", "authentication": "api_key", "client_address": "192.0.2.7",
        "account": "main", "request_id": "one",
        "trace_id": null, "instance": null, "code": "OK", "reason": null, "outcome": null, "duration_ms": 1234.567,
        "service_ms": null, "upstream_ms": null, "request_bytes": 5, "reply_bytes": 7,
    });
    assert_eq!(lines[0], expected);
    let time = lines[0]["time"].as_str().unwrap();
    assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
}

#[tokio::test]
async fn what_finds_no_place_is_counted_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let audit = open(&path);
    for number in 0..WAITING * 20 {
        audit.ended(&call(&number.to_string()));
    }
    audit.end(Duration::from_secs(20)).await;
    let lost_so_far = audit.losses.unsaid.load(Relaxed);
    audit.ended(&call("last"));
    audit.end(Duration::from_secs(20)).await;
    let lines = lines(&path);
    let said: u64 = lines.iter().filter_map(|line| line["lost"].as_u64()).sum();
    let written = lines.iter().filter(|line| line["method"].is_string()).count() as u64;
    assert_eq!(written + said, WAITING as u64 * 20 + 1, "{lost_so_far}");
    assert_eq!(lines.last().unwrap()["request_id"], "last");
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let settings = AuditSettings { file: Some("/nowhere/audit.log".into()), ..AuditSettings::default() };
    let provider = opentelemetry_sdk::metrics::SdkMeterProvider::builder().build();
    let meter = opentelemetry::metrics::MeterProvider::meter(&provider, "test");
    let error = Audit::open("test", &settings, &meter, Arc::new(Nothing)).unwrap_err();
    assert!(error.to_string().starts_with("configuration: audit.file: "), "{error}");
}
