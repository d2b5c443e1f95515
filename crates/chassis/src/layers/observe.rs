//! One span, one measurement and one log line per call, whatever becomes of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::Response;
use opentelemetry::{
    Context, KeyValue,
    propagation::TextMapPropagator,
    trace::{SpanKind, Status as SpanStatus, TraceContextExt, Tracer},
};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Code, Status};

use super::{
    Call, Request,
    deadline::Until,
    exempt,
    methods::{Method, Methods},
    notes::CallNotes,
    panic,
    reply::{Bounds, Reply},
    request_id, status,
    trace::Headers,
};
use crate::{Body, Draining, Process, names, outflow::Flow, telemetry::push_hex};

/// Watches every call.
#[derive(Debug)]
pub(crate) struct Observe<S> {
    inner: S,
    process: Process,
    methods: Arc<Methods>,
    draining: Draining,
    max_reply_bytes: u64,
}

/// One call that has begun and not ended; dropped without an end it counts as cancelled by the caller.
#[derive(Debug)]
pub(crate) struct Observation {
    process: Process,
    context: Context,
    begun: Instant,
    path: Box<str>,
    method: Option<Method>,
    request_id: Box<str>,
    notes: CallNotes,
    done: bool,
}

impl<S> Observe<S> {
    pub(crate) fn new(inner: S, process: &Process, methods: Arc<Methods>) -> Self {
        let max_reply_bytes = process.settings().server.max_reply_bytes;
        let (process, draining) = (process.clone(), process.draining());
        Self { inner, process, methods, draining, max_reply_bytes }
    }

    fn begin(&self, request: &mut Request) -> Observation {
        let path: Box<str> = request.uri().path().into();
        let method = self.methods.get(&path).cloned();
        let parent =
            self.process.telemetry().propagator.extract_with_context(&Context::new(), &Headers(request.headers()));
        let tracer = self.process.tracer();
        // Its real name comes at the end, and only to a span that is kept.
        let builder = tracer.span_builder(names::OTHER).with_kind(SpanKind::Server);
        let context = parent.with_span(tracer.build_with_context(builder, &parent));
        let notes = CallNotes::default();
        let request_id = request_id::of(request.headers()).into();
        request.extensions_mut().insert(context.clone());
        request.extensions_mut().insert(notes.clone());
        self.process.telemetry().instruments.in_flight.add(1, &[]);
        Observation {
            process: self.process.clone(),
            context,
            begun: Instant::now(),
            path,
            method,
            request_id,
            notes,
            done: false,
        }
    }
}

impl<S: Call<Reply = Body>> Call for Observe<S> {
    type Reply = Reply;

    async fn call(&self, mut request: Request) -> Response<Reply> {
        let endless = exempt(request.uri().path());
        let flow = request.extensions_mut().remove::<Arc<Flow>>();
        let observation = self.begin(&mut request);
        let mut response = self.inner.call(request).await;
        let place = response.extensions_mut().remove::<Arc<OwnedSemaphorePermit>>();
        let bounds = Bounds {
            left: if endless { u64::MAX } else { self.max_reply_bytes },
            deadline: response.extensions_mut().remove::<Until>().map(|until| until.0),
            draining: self.draining.clone(),
            flow: flow.unwrap_or_else(|| Flow::alone(self.process.memory())),
        };
        let observation = match status::code(response.headers()) {
            Some(code) => {
                observation.finish(code);
                None
            }
            None => Some(observation),
        };
        let (head, body) = response.into_parts();
        let mut reply = Reply::new(body, bounds, observation, place);
        reply.read_ahead().await;
        Response::from_parts(head, reply)
    }
}

impl Observation {
    /// Writes down how the call ended.
    pub(crate) fn finish(mut self, code: Code) {
        self.write_down(code);
    }

    /// Whether the call may have changed something.
    pub(crate) fn writes(&self) -> bool {
        self.method.as_ref().is_some_and(|method| !method.reads) || self.notes.writes()
    }

    /// The status of a call whose handler panicked; counts it.
    pub(crate) fn panicked(&self) -> Status {
        panic::status(&self.process.telemetry().instruments.panics, &self.request_id)
    }

    fn write_down(&mut self, code: Code) {
        self.done = true;
        let took = self.begun.elapsed();
        let instruments = &self.process.telemetry().instruments;
        instruments.in_flight.add(-1, &[]);
        match (code, self.method_name()) {
            (Code::Ok, Some(method)) => instruments.duration.record_well(method, took, || self.labels(code)),
            _ => instruments.duration.record(took, &self.labels(code)),
        }
        self.end_span(code);
        self.log(code, took);
    }

    fn labels(&self, code: Code) -> Vec<KeyValue> {
        let code = names::code_name(code);
        let mut labels = Vec::with_capacity(5);
        labels.extend([KeyValue::new(names::RPC_SYSTEM, "grpc"), KeyValue::new(names::RPC_STATUS, code)]);
        let Some(method) = self.method_name() else {
            labels.push(KeyValue::new(names::RPC_METHOD, names::OTHER));
            return labels;
        };
        let service = method.rsplit_once('/').map_or("", |(service, _)| service).to_owned();
        if let Some(provider) = provider(&service) {
            labels.push(KeyValue::new(names::PROVIDER, provider));
        }
        labels.push(KeyValue::new(names::RPC_METHOD, method.to_owned()));
        labels.push(KeyValue::new(names::RPC_SERVICE, service));
        labels
    }

    fn method_name(&self) -> Option<&str> {
        match &self.method {
            Some(method) => Some(&method.name),
            None if self.notes.known_method() => Some(self.path.trim_start_matches('/')),
            None => None,
        }
    }

    fn end_span(&self, code: Code) {
        let span = self.context.span();
        if span.is_recording() {
            match self.method_name() {
                Some(name) => span.update_name(name.to_owned()),
                None => span.set_attribute(KeyValue::new(names::RPC_METHOD_ORIGINAL, shortened(&self.path).to_owned())),
            }
            span.set_attributes(self.labels(code));
            span.set_attribute(KeyValue::new(names::REQUEST_ID, self.request_id.to_string()));
            let facts = [(names::PRINCIPAL, self.notes.principal()), (names::ACCOUNT, self.notes.account())];
            for (name, fact) in facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))) {
                span.set_attribute(KeyValue::new(name, fact.to_owned()));
            }
            if is_our_fault(code) {
                span.set_attribute(KeyValue::new(names::ERROR_TYPE, names::code_name(code)));
                span.set_status(SpanStatus::error(names::code_name(code)));
            }
        }
        span.end();
    }

    fn log(&self, code: Code, took: Duration) {
        let method = self.method_name().unwrap_or_else(|| shortened(&self.path));
        let mut trace_id = String::with_capacity(32);
        push_hex(&mut trace_id, &self.context.span().span_context().trace_id().to_bytes());
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "ispbridge::call",
                    process = self.process.name(),
                    method,
                    code = names::code_name(code),
                    duration_ms = took.as_secs_f64() * 1000.0,
                    request_id = &*self.request_id,
                    principal = self.notes.principal(),
                    account = self.notes.account(),
                    trace_id,
                    "call"
                )
            };
        }
        match exempt(&self.path) {
            true => line!(debug),
            false if is_our_fault(code) => line!(warn),
            false => line!(info),
        }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        if !self.done {
            self.write_down(Code::Cancelled);
        }
    }
}

/// The codes that make a server span an error (semantic conventions for gRPC).
fn is_our_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// `aex` of `ispbridge.aex.v1.CustomerService`.
fn provider(service: &str) -> Option<String> {
    let provider = service.strip_prefix("ispbridge.")?.split('.').next()?;
    Some(provider.replace('_', "-"))
}

/// A path of strangers is written down only so far.
fn shortened(path: &str) -> &str {
    &path[..path.floor_char_boundary(128)]
}
