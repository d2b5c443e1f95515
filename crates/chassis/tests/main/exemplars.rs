//! From a slow bucket to the trace of a call in it.

use std::{collections::HashSet, net::SocketAddr, str::FromStr};

use chassis::Running;
use ispbridge_kit::http1::{get, open_metrics};
use opentelemetry::TraceId;
use tonic::Request;

use crate::{
    probe::{READ, connected, send},
    telemetry::recorded,
};

const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";

const CHOSEN: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const FAILED: &str = "0af7651916cd43dd8448eb211c80319c";
const OTHER: &str = "b7ad6b7169203331b7ad6b7169203331";

/// A bucket that has an exemplar.
#[derive(Debug)]
struct Bucket {
    labels: String,
    count: u64,
    trace: String,
    span: String,
    seconds: f64,
    at: f64,
}

/// Reads ` name_bucket{labels} count # {trace_id="...",span_id="..."} value timestamp`.
fn bucket(line: &str) -> Option<Bucket> {
    let (sample, exemplar) = line.strip_prefix("rpc_server_call_duration_seconds_bucket")?.split_once(" # ")?;
    let (labels, count) = sample.rsplit_once(' ')?;
    let [ids, seconds, at] = exemplar.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let ids = ids.strip_prefix("{trace_id=\"")?.strip_suffix("\"}")?;
    let (trace, span) = ids.split_once("\",span_id=\"")?;
    let number = |text: &str| f64::from_str(text).unwrap();
    Some(Bucket {
        labels: labels.to_owned(),
        count: count.parse().unwrap(),
        trace: trace.to_owned(),
        span: span.to_owned(),
        seconds: number(seconds),
        at: number(at),
    })
}

async fn buckets(admin: SocketAddr) -> Vec<Bucket> {
    let text = open_metrics(admin).await;
    assert!(
        text.contains("\r\ncontent-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{text}"
    );
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    text.lines().filter_map(bucket).collect()
}

async fn call(running: &Running, text: &str, trace: &str, flags: &str) {
    let mut request = Request::new(text.to_owned());
    request.metadata_mut().insert("traceparent", format!("00-{trace}-00f067aa0ba902b7-{flags}").parse().unwrap());
    let _ = send(connected(running.grpc_addr()).await, READ, request).await;
}

#[tokio::test]
async fn a_bucket_names_the_trace_of_a_call_that_was_chosen() {
    let (running, spans) = recorded(ADMIN).await;
    let admin = running.admin_addr().unwrap();
    for (text, trace, flags) in
        [("sleep 30", CHOSEN, "01"), ("sleep 30", OTHER, "00"), ("panic", FAILED, "01"), ("sleep 0", OTHER, "00")]
    {
        call(&running, text, trace, flags).await;
    }
    let buckets = buckets(admin).await;
    assert_eq!(buckets.len(), 2, "{buckets:?}");
    let of =
        |code: &str| buckets.iter().find(|bucket| bucket.labels.contains(&format!("status_code=\"{code}\""))).unwrap();
    let (slow, failed) = (of("OK"), of("INTERNAL"));
    assert_eq!((&*slow.trace, &*failed.trace), (CHOSEN, FAILED));
    let bound = slow.labels.rsplit('"').nth(1).unwrap().parse().unwrap_or(f64::INFINITY);
    let below = protocol::names::DURATION_BUCKETS.into_iter().filter(|below| *below < bound).fold(0.0, f64::max);
    assert!(slow.count >= 1 && slow.seconds >= 0.03 && below < slow.seconds && slow.seconds <= bound, "{slow:?}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - slow.at).abs() < 60.0, "{slow:?}");
    let plain = get(admin, "/metrics").await;
    assert!(
        plain.contains("\r\ncontent-type: text/plain; version=0.0.4\r\n") && !plain.contains("trace_id"),
        "{plain}"
    );
    running.drain().await;
    let spans = spans.0.lock().unwrap();
    let of = |trace| spans.iter().find(|span| span.span_context.trace_id() == TraceId::from_hex(trace).unwrap());
    assert_eq!(of(CHOSEN).unwrap().span_context.span_id().to_string(), slow.span);
    assert!(of(OTHER).is_none());
}

#[tokio::test]
async fn a_bucket_names_the_trace_of_a_call_that_was_kept_for_its_end() {
    let telemetry = "[telemetry]\nsampling_ratio = 0.0\nkeep_errors = true\nkeep_slower_than_ms = 500";
    let (running, spans) = recorded(&format!("{ADMIN}{telemetry}")).await;
    for (text, trace) in [("hello", OTHER), ("panic", FAILED), ("sleep 600", CHOSEN)] {
        call(&running, text, trace, "00").await;
    }
    let buckets = buckets(running.admin_addr().unwrap()).await;
    let named: HashSet<_> = buckets.into_iter().map(|bucket| (bucket.trace, bucket.span)).collect();
    running.drain().await;
    let spans = spans.0.lock().unwrap();
    let kept = spans.iter().map(|span| &span.span_context);
    let kept: HashSet<_> = kept.map(|span| (span.trace_id().to_string(), span.span_id().to_string())).collect();
    assert_eq!(kept.len(), 2);
    assert_eq!(named, kept);
}
