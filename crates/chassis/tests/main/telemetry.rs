//! What a call leaves behind.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chassis::StartOptions;
use ispbridge_kit::http1::get;
use opentelemetry::trace::{SpanKind, Status as SpanStatus};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SimpleSpanProcessor, SpanData, SpanExporter},
};
use tokio::time::timeout;
use tonic::Request;

use crate::probe::{READ, ask, connected, send, started, started_with, until_metric};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Keeps finished spans.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(pub(crate) Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Memory {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

pub(crate) async fn recorded(config: &str) -> (chassis::Running, Memory) {
    let memory = Memory::default();
    let mut options = StartOptions::default();
    options.span_processor = Some(Box::new(SimpleSpanProcessor::new(memory.clone())));
    (started_with(config, options).await, memory)
}

#[tokio::test]
async fn the_time_of_a_call_is_split() {
    let (running, memory) = recorded("[admin]\nlisten = \"127.0.0.1:0\"").await;
    let answer = send(connected(running.grpc_addr()).await, READ, Request::new("wait 7".to_owned())).await.unwrap();
    let timing = answer.metadata().get("x-ispbridge-timing").unwrap().to_str().unwrap();
    assert!(timing.starts_with("service;dur=") && timing.ends_with(",upstream;dur=7.000"), "{timing}");
    let without = send(connected(running.grpc_addr()).await, READ, Request::new("hello".to_owned())).await.unwrap();
    let timing = without.metadata().get("x-ispbridge-timing").unwrap().to_str().unwrap();
    assert!(timing.starts_with("service;dur=") && !timing.contains("upstream"), "{timing}");
    running.drain().await;
    assert_eq!(attribute(&memory.0.lock().unwrap()[0], "ispbridge.upstream_ms"), "7");
}

#[tokio::test]
async fn a_failed_call_is_kept_though_its_trace_is_not() {
    let (running, memory) = recorded("[telemetry]\nsampling_ratio = 0.0\nkeep_errors = true").await;
    for text in ["hello", "panic"] {
        let _ = ask(running.grpc_addr(), READ, text).await;
    }
    running.drain().await;
    let spans = memory.0.lock().unwrap();
    let [span] = spans.as_slice() else { panic!("{} spans", spans.len()) };
    assert_eq!(attribute(span, "rpc.response.status_code"), "INTERNAL");
}

fn attribute(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    found.map_or_else(|| panic!("no {name}"), |attribute| attribute.value.to_string())
}

#[tokio::test]
async fn a_call_is_a_server_span_in_the_callers_trace() {
    let (running, memory) = recorded("").await;
    let mut request = Request::new("show trace".to_owned());
    request.metadata_mut().insert("traceparent", format!("00-{TRACE}-{PARENT}-01").parse().unwrap());
    request.metadata_mut().insert("x-request-id", "order-17".parse().unwrap());
    request.metadata_mut().insert("x-ispbridge-account", "main".parse().unwrap());
    let answer = send(connected(running.grpc_addr()).await, READ, request).await.unwrap();
    assert_eq!(answer.get_ref(), TRACE);
    running.drain().await;
    let spans = memory.0.lock().unwrap();
    let [span] = spans.as_slice() else { panic!("{} spans", spans.len()) };
    assert_eq!((span.name.as_ref(), &span.span_kind), ("chassis.test.v1.ProbeService/Read", &SpanKind::Server));
    assert_eq!(
        (span.span_context.trace_id().to_string(), span.parent_span_id.to_string()),
        (TRACE.into(), PARENT.into())
    );
    assert_eq!(attribute(span, "rpc.system.name"), "grpc");
    assert_eq!(attribute(span, "rpc.response.status_code"), "OK");
    assert_eq!(attribute(span, "ispbridge.request_id"), "order-17");
    assert_eq!(attribute(span, "ispbridge.account"), "main");
    assert_eq!(span.status, SpanStatus::Unset);
}

#[tokio::test]
async fn an_unsampled_trace_is_not_recorded_and_a_bad_one_is_begun_anew() {
    let (running, memory) = recorded("").await;
    let channel = connected(running.grpc_addr()).await;
    for traceparent in [format!("00-{TRACE}-{PARENT}-00"), "00-zz-garbage".to_owned()] {
        let mut request = Request::new("show trace".to_owned());
        request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
        send(channel.clone(), READ, request).await.unwrap();
    }
    running.drain().await;
    let spans = memory.0.lock().unwrap();
    assert_eq!(spans.len(), 1);
    assert_ne!(spans[0].span_context.trace_id().to_string(), TRACE);
}

#[tokio::test]
async fn a_strangers_method_is_no_label_but_is_in_the_span() {
    let (running, memory) = recorded("[admin]\nlisten = \"127.0.0.1:0\"").await;
    ask(running.grpc_addr(), "/nobody.v1.NobodyService/Ask", "hello").await.unwrap_err();
    let metrics = get(running.admin_addr().unwrap(), "/metrics").await;
    assert!(metrics.contains("rpc_method=\"_OTHER\"") && !metrics.contains("nobody"), "{metrics}");
    running.drain().await;
    let spans = memory.0.lock().unwrap();
    assert_eq!(attribute(&spans[0], "rpc.method_original"), "/nobody.v1.NobodyService/Ask");
    assert_eq!(spans[0].status, SpanStatus::error("UNIMPLEMENTED"));
}

#[tokio::test]
async fn a_call_that_its_caller_gives_up_counts_as_cancelled() {
    let (running, memory) = recorded("[admin]\nlisten = \"127.0.0.1:0\"").await;
    let admin = running.admin_addr().unwrap();
    let call = tokio::spawn(send(connected(running.grpc_addr()).await, READ, Request::new("sleep 60000".to_owned())));
    until_metric(admin, "ispbridge_calls_in_flight{", " 1").await;
    call.abort();
    until_metric(admin, "ispbridge_calls_in_flight{", " 0").await;
    running.drain().await;
    assert_eq!(attribute(&memory.0.lock().unwrap()[0], "rpc.response.status_code"), "CANCELLED");
}

#[tokio::test]
async fn metrics_have_the_agreed_names_and_labels() {
    let running = started("[admin]\nlisten = \"127.0.0.1:0\"").await;
    ask(running.grpc_addr(), READ, "hello").await.unwrap();
    let metrics = get(running.admin_addr().unwrap(), "/metrics").await;
    let line = metrics.lines().find(|line| line.starts_with("rpc_server_call_duration_seconds_count")).unwrap();
    for label in [
        "rpc_method=\"chassis.test.v1.ProbeService/Read\"",
        "rpc_response_status_code=\"OK\"",
        "rpc_service=\"chassis.test.v1.ProbeService\"",
    ] {
        assert!(line.contains(label), "{line}");
    }
    assert!(metrics.contains("service_name=\"chassis-probe\""), "{metrics}");
    let build = get(running.admin_addr().unwrap(), "/buildinfo").await;
    assert!(build.contains("\"name\":\"chassis-probe\""), "{build}");
}

#[tokio::test]
async fn two_processes_share_nothing() {
    let (first, second) =
        (started("[admin]\nlisten = \"127.0.0.1:0\"").await, started("[admin]\nlisten = \"127.0.0.1:0\"").await);
    ask(first.grpc_addr(), READ, "hello").await.unwrap();
    assert!(get(first.admin_addr().unwrap(), "/metrics").await.contains("ProbeService/Read"));
    assert!(!get(second.admin_addr().unwrap(), "/metrics").await.contains("ProbeService/Read"));
    first.drain().await;
    assert!(ask(second.grpc_addr(), READ, "hello").await.is_ok());
}

#[tokio::test]
async fn a_collector_that_does_not_answer_does_not_hold_up_the_end() {
    // Accepts connections and never says a word.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = mute.local_addr().unwrap();
    let running = started(&format!("[telemetry]\notlp_endpoint = \"http://{endpoint}\"")).await;
    ask(running.grpc_addr(), READ, "hello").await.unwrap();
    // Less than the ten seconds for which an exporter waits.
    timeout(Duration::from_secs(8), running.drain()).await.expect("the end");
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_a_configuration_error() {
    let config = "[callers]\nmode = \"open\"\n[telemetry]\notlp_endpoint = \"not an address\"";
    let error = chassis::start::<crate::probe::Probe>(config.parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().starts_with("configuration: telemetry.otlp_endpoint"), "{error}");
}

#[tokio::test]
async fn what_is_switched_off_says_nothing() {
    let (running, memory) = recorded("[admin]\nlisten = \"127.0.0.1:0\"\n[telemetry]\ndisabled = true").await;
    ask(running.grpc_addr(), READ, "hello").await.unwrap();
    assert!(!get(running.admin_addr().unwrap(), "/metrics").await.contains("rpc_server"));
    running.drain().await;
    assert!(memory.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_propagator_every_trace_begins_here() {
    let (running, memory) = recorded("[telemetry]\npropagators = []").await;
    let mut request = Request::new("show trace".to_owned());
    request.metadata_mut().insert("traceparent", format!("00-{TRACE}-{PARENT}-01").parse().unwrap());
    let answer = send(connected(running.grpc_addr()).await, READ, request).await.unwrap();
    assert_ne!(answer.get_ref(), TRACE);
    running.drain().await;
    assert_eq!(memory.0.lock().unwrap().len(), 1);
}
