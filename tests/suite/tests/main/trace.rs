//! One call is one trace through every process.

use ispbridge_sandbox::{Fault, Kind};
use opentelemetry::{
    KeyValue, SpanId,
    trace::{SpanKind, Status},
};
use opentelemetry_sdk::trace::SpanData;
use serde_json::json;

use crate::{
    caller::Call,
    harness::Harness,
    spans::Spans,
    wires::{Verb, WIRES},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// The four spans of a call that was made once: two of the gateway, two of the service.
fn hops(spans: &Spans, service: &str) -> [SpanData; 4] {
    let gateway = "ispbridge-gateway";
    let sides = [
        (gateway, SpanKind::Server),
        (gateway, SpanKind::Client),
        (service, SpanKind::Server),
        (service, SpanKind::Client),
    ];
    sides.map(|(process, kind)| {
        let last = spans.made(process, &kind).pop();
        last.unwrap_or_else(|| panic!("no {kind:?} span of {process}"))
    })
}

fn attribute(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|KeyValue { key, .. }| key.as_str() == name);
    found.map_or_else(|| panic!("no {name} in {span:?}"), |attribute| attribute.value.to_string())
}

/// Each span is the child of the one before it, and all are of one trace.
fn assert_chain(hops: &[SpanData; 4]) {
    for pair in hops.windows(2) {
        let [parent, child] = pair else { unreachable!("windows of two") };
        assert_eq!(child.parent_span_id, parent.span_context.span_id(), "{} in {}", child.name, parent.name);
        assert_eq!(child.span_context.trace_id(), parent.span_context.trace_id());
    }
}

#[tokio::test]
async fn a_call_is_four_linked_spans_in_its_callers_trace() {
    for wire in WIRES.iter().copied().filter(|wire| wire.is_of_sandbox()) {
        let (service, method) = (wire.provider, wire.method(Verb::Read));
        let request = wire.request(Verb::Read);
        let harness = Harness::open().await;
        let port = harness.sandbox.address(service).port();
        let call = Call::new(method, request).with("traceparent", format!("00-{TRACE}-{PARENT}-01"));
        harness.send(call.with("x-request-id", "order-17")).await.unwrap();
        let spans = harness.spans.clone();
        harness.close().await;
        let hops = hops(&spans, &format!("ispbridge-{service}"));
        assert_chain(&hops);
        assert_eq!(hops[0].span_context.trace_id().to_string(), TRACE);
        assert_eq!(hops[0].parent_span_id.to_string(), PARENT);
        let name = format!("ispbridge.{}.v1.{}", service, method.split_once('.').unwrap().1);
        for span in &hops[..3] {
            assert_eq!((span.name.as_ref(), attribute(span, "rpc.response.status_code")), (&*name, "OK".to_owned()));
        }
        for span in [&hops[0], &hops[2]] {
            assert_eq!(attribute(span, "ispbridge.request_id"), "order-17");
            assert_eq!(attribute(span, "ispbridge.account"), "main");
            assert_eq!(attribute(span, "ispbridge.principal"), "tester");
        }
        assert_eq!(attribute(&hops[3], "server.port"), port.to_string());
        assert_eq!(attribute(&hops[3], "http.response.status_code"), "200");
    }
}

#[tokio::test]
async fn a_call_without_a_trace_begins_one() {
    let harness = Harness::open().await;
    harness.ask("azotel.SystemService/PingApi", json!({})).await;
    let spans = harness.spans.clone();
    harness.close().await;
    let hops = hops(&spans, "ispbridge-azotel");
    assert_chain(&hops);
    assert_eq!(hops[0].parent_span_id, SpanId::INVALID);
}

#[tokio::test]
async fn a_repeated_read_shows_every_attempt_and_a_login_shows_itself() {
    let harness = Harness::open().await;
    harness.sandbox.fault("freeside", Fault::once("agent_info", Kind::ResetAfterCommit));
    harness.ask("freeside.AgentService/AgentInfo", json!({})).await;
    let spans = harness.spans.clone();
    harness.close().await;
    let attempts = spans.made("ispbridge-freeside", &SpanKind::Client);
    let templates: Vec<_> = attempts.iter().map(|span| attribute(span, "url.template")).collect();
    assert_eq!(templates, ["agent_login", "agent_info", "agent_info"]);
    assert_eq!(attempts[1].status, Status::error("UPSTREAM_CONNECTION"));
    assert_eq!(attribute(&attempts[1], "ispbridge.outcome"), "UNKNOWN");
    assert_eq!(attribute(&attempts[2], "http.request.resend_count"), "1");
    // The first ones are the gateway's, which asked for the contract.
    let server = spans.made("ispbridge-freeside", &SpanKind::Server).pop().unwrap();
    assert!(attempts.iter().all(|span| span.parent_span_id == server.span_context.span_id()));
}

#[tokio::test]
async fn a_write_of_unknown_outcome_shows_in_every_span() {
    let harness = Harness::open().await;
    harness.sandbox.fault("azotel", Fault::once("addCustomer", Kind::ResetAfterCommit));
    harness.refused("azotel.CustomerService/AddCustomer", crate::outcome::customer()).await;
    let spans = harness.spans.clone();
    harness.close().await;
    let hops = hops(&spans, "ispbridge-azotel");
    assert_chain(&hops);
    for span in &hops[..3] {
        assert_eq!(attribute(span, "rpc.response.status_code"), "ABORTED", "{}", span.name);
    }
    // By OpenTelemetry's conventions ABORTED is an error of the client's side only.
    for span in [&hops[1], &hops[3]] {
        assert!(matches!(span.status, Status::Error { .. }), "{:?}", span.status);
    }
    assert_eq!(attribute(&hops[3], "ispbridge.outcome"), "UNKNOWN");
}
