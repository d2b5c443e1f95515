//! The span and the metrics of one upstream call. Names are those of OpenTelemetry's HTTP conventions.

use std::sync::{Arc, OnceLock};

use opentelemetry::{
    Context, KeyValue, StringValue,
    metrics::{BoundHistogram, Counter, Histogram, Meter},
    trace::{Span, SpanKind, Status as SpanStatus, TraceContextExt, Tracer},
};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};
use protocol::names::DURATION_BUCKETS;
use tokio::time::Instant;

use crate::{
    fault::Fault,
    http::{HttpReply, HttpRequest},
    problem::Problem,
};

/// What an upstream needs to make itself seen.
#[derive(Clone, Debug)]
pub struct Telemetry {
    tracer: SdkTracer,
    duration: Histogram<f64>,
    /// The histogram of calls that were answered with 200 and read: the SDK would hash their labels each time.
    well: Arc<OnceLock<BoundHistogram<f64>>>,
    unreadable: Counter<u64>,
    provider: StringValue,
}

impl Telemetry {
    /// Makes the instruments of `provider` from a process's tracer and meter.
    #[must_use]
    pub fn new(provider: impl Into<StringValue>, tracer: &SdkTracer, meter: &Meter) -> Self {
        let duration = meter
            .f64_histogram("http.client.request.duration")
            .with_unit("s")
            .with_description("Duration of calls to the upstream")
            .with_boundaries(DURATION_BUCKETS.to_vec())
            .build();
        let unreadable = meter
            .u64_counter("ispbridge.reply.unreadable_fields")
            .with_description("Fields of upstream replies that could not be read")
            .build();
        Telemetry { tracer: tracer.clone(), duration, well: Arc::default(), unreadable, provider: provider.into() }
    }

    /// Begins one attempt.
    pub(crate) fn begin(&self, operation: &str, request: &HttpRequest, attempt: u32, parent: &Context) -> Attempt {
        // Its real name is given only to a span that is kept.
        let builder = self.tracer.span_builder("HTTP").with_kind(SpanKind::Client);
        let mut span = builder.start_with_context(&self.tracer, parent);
        if span.is_recording() {
            set_request(&mut span, operation, request, attempt);
        }
        Attempt { span, started: Instant::now() }
    }

    /// Ends an attempt with what is known of it.
    pub(crate) fn end(&self, mut attempt: Attempt, status: Option<u16>, result: Result<(), &Fault>) {
        let took = attempt.started.elapsed().as_secs_f64();
        match (status, result) {
            (Some(200), Ok(())) => {
                self.well.get_or_init(|| self.duration.bind(&self.labels(status, result))).record(took);
            }
            _ => self.duration.record(took, &self.labels(status, result)),
        }
        if attempt.span.is_recording() {
            attempt.span.set_attributes(self.labels(status, result));
            if let Err(fault) = result {
                attempt.span.set_status(SpanStatus::error(fault.reason()));
            }
        }
        attempt.span.end();
    }

    fn labels(&self, status: Option<u16>, result: Result<(), &Fault>) -> Vec<KeyValue> {
        let outcome = match result {
            Ok(()) => "OK",
            Err(fault) => fault.outcome().as_str(),
        };
        let mut labels = vec![
            KeyValue::new("ispbridge.provider", self.provider.clone()),
            KeyValue::new("ispbridge.outcome", outcome),
        ];
        labels.extend(status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
        labels.extend(result.err().map(|fault| KeyValue::new("error.type", fault.reason())));
        labels
    }

    /// Reports fields that could not be read: their paths, never their values.
    pub(crate) fn unreadable(&self, operation: &str, fields: &[Problem], parent: &Context) {
        if fields.is_empty() {
            return;
        }
        self.unreadable.add(
            fields.len() as u64,
            &[
                KeyValue::new("ispbridge.provider", self.provider.clone()),
                KeyValue::new("ispbridge.operation", operation.to_owned()),
            ],
        );
        let paths: Vec<&str> = fields.iter().map(|problem| problem.field.as_str()).collect();
        parent.span().set_attribute(KeyValue::new("ispbridge.unreadable_fields", paths.join(",")));
    }
}

/// One attempt under way.
pub(crate) struct Attempt {
    span: SdkSpan,
    started: Instant,
}

impl Attempt {
    /// The status of a reply, for the end of the attempt.
    pub(crate) fn status(reply: &Result<HttpReply, Fault>) -> Option<u16> {
        match reply {
            Ok(reply) => Some(reply.status.as_u16()),
            Err(fault) => fault.http_status(),
        }
    }
}

fn set_request(span: &mut SdkSpan, operation: &str, request: &HttpRequest, attempt: u32) {
    let url = &request.url;
    span.update_name(request.method.as_str().to_owned());
    let mut attributes = vec![
        KeyValue::new("http.request.method", request.method.as_str().to_owned()),
        KeyValue::new("server.address", url.host_str().unwrap_or("").to_owned()),
        KeyValue::new("server.port", i64::from(url.port_or_known_default().unwrap_or(0))),
        // The template, not the address: paths and queries carry what callers sent.
        KeyValue::new("url.template", operation.to_owned()),
    ];
    if attempt > 1 {
        attributes.push(KeyValue::new("http.request.resend_count", i64::from(attempt - 1)));
    }
    span.set_attributes(attributes);
}
