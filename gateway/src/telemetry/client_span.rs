//! The gateway's own span and measurement of a call to a service.

use std::sync::Arc;

use chassis::Process;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry::{
    Context, KeyValue,
    propagation::{Injector, TextMapCompositePropagator, TextMapPropagator},
    trace::{Span as _, SpanContext, SpanKind, Status, TraceContextExt, Tracer},
};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use protocol::timing::Timing;
use serving::CallNotes;
use telemetry::{Durations, Timed};
use tokio::time::Instant;
use tonic::Code;

/// Histogram: seconds a call took at the service.
const CLIENT_DURATION: &str = "rpc.client.call.duration";

/// Attribute: the host that the call went to.
const SERVER_ADDRESS: &str = "server.address";
/// Attribute: the port there.
const SERVER_PORT: &str = "server.port";

/// Starts the client spans of a process.
#[derive(Debug, Clone)]
pub(crate) struct ClientSpans {
    tracer: SdkTracer,
    propagator: Arc<TextMapCompositePropagator>,
    duration: Durations,
}

/// One attempt at a service, recorded on drop.
#[derive(Debug)]
pub(crate) struct ClientSpan {
    span: Span,
    duration: Durations,
    started: Instant,
    provider: Arc<str>,
    method: Arc<str>,
    notes: CallNotes,
    code: Option<Code>,
}

impl ClientSpans {
    /// Prepares the instruments.
    pub(crate) fn new(process: &Process) -> Self {
        let duration = process.durations(CLIENT_DURATION, "Seconds a call took at the service.");
        Self { tracer: process.tracer().clone(), propagator: process.propagator().clone(), duration }
    }

    /// Starts an attempt and injects its trace context into the headers.
    pub(crate) fn begin(
        &self,
        (parent, notes): (&Context, &CallNotes),
        (provider, method): (&Arc<str>, &Arc<str>),
        instance: &Uri,
        headers: &mut HeaderMap,
    ) -> ClientSpan {
        notes.set_instance(&instance.authority().map_or("", |authority| authority.as_str()).into());
        let builder = self.tracer.span_builder(protocol::names::OTHER).with_kind(SpanKind::Client);
        let mut span = builder.start_with_context(&self.tracer, parent);
        if span.is_recording() {
            span.update_name(method.to_string());
            span.set_attributes([
                KeyValue::new(protocol::names::RPC_SYSTEM, "grpc"),
                KeyValue::new(protocol::names::RPC_METHOD, Arc::clone(method)),
                KeyValue::new(protocol::names::PROVIDER, Arc::clone(provider)),
                KeyValue::new(SERVER_ADDRESS, instance.host().unwrap_or_default().to_owned()),
                KeyValue::new(SERVER_PORT, i64::from(instance.port_u16().unwrap_or_default())),
            ]);
        }
        self.inject(span.span_context(), headers);
        ClientSpan {
            span,
            duration: self.duration.clone(),
            started: Instant::now(),
            provider: Arc::clone(provider),
            method: Arc::clone(method),
            notes: notes.clone(),
            code: None,
        }
    }
}

impl ClientSpans {
    fn inject(&self, span: &SpanContext, headers: &mut HeaderMap) {
        let context = Context::new().with_remote_span_context(span.clone());
        self.propagator.inject_context(&context, &mut HeaderInjector(headers));
    }
}

impl ClientSpan {
    /// Records how it ended; the first call counts.
    pub(crate) fn end(&mut self, code: Code) {
        self.code.get_or_insert(code);
    }

    /// Records the service's timing.
    pub(crate) fn timed(&mut self, timing: Timing) {
        self.notes.set_timing(timing);
    }
}

impl Drop for ClientSpan {
    fn drop(&mut self) {
        // Not ended: the caller gave up.
        let code = self.code.unwrap_or(Code::Cancelled);
        let name = protocol::names::code_name(code);
        self.span.set_attribute(KeyValue::new(protocol::names::RPC_STATUS, name));
        if code != Code::Ok {
            self.span.set_attribute(KeyValue::new(protocol::names::ERROR_TYPE, name));
            self.span.set_status(Status::error(name));
        }
        // Strangers of all providers have one name.
        let is_known = &*self.method != protocol::names::OTHER;
        let timed = Timed {
            name: if is_known { &self.method } else { &self.provider },
            code,
            took: self.started.elapsed(),
            span: self.span.span_context(),
            failed: code != Code::Ok,
        };
        self.duration.record(&timed, || {
            vec![
                KeyValue::new(protocol::names::PROVIDER, Arc::clone(&self.provider)),
                KeyValue::new(protocol::names::RPC_METHOD, Arc::clone(&self.method)),
                KeyValue::new(protocol::names::RPC_STATUS, name),
            ]
        });
    }
}

struct HeaderInjector<'a>(&'a mut HeaderMap);

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = HeaderName::from_bytes(key.as_bytes());
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::try_from(value)) {
            // No secret, but different in each call: it would only push other headers out of HPACK's table.
            value.set_sensitive(true);
            self.0.insert(name, value);
        }
    }
}
