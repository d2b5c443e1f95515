//! One span, one measurement and one log line per call, whatever becomes of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::{HeaderMap, Response};
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
    kept::{Keeping, Kept},
    methods::{Method, Methods},
    notes::CallNotes,
    panic, reason,
    reply::{Bounds, Reply},
    request_id, status,
    timing::Timing,
    trace::Headers,
};
use crate::{
    Body, Draining, Process,
    ended::{Ended, Reason, millis},
    names,
    outflow::Flow,
    watches::Watches,
};

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
    /// Microseconds that the handler waited for its upstream.
    upstream: Option<Arc<AtomicU64>>,
    kept: Option<Arc<Kept>>,
    reply_bytes: u64,
    done: bool,
}

/// How a call ended.
struct End {
    code: Code,
    reason: Option<Reason>,
    took: Duration,
    timing: Timing,
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
        let writes = method.as_ref().is_some_and(|method| !method.reads);
        let parent =
            self.process.telemetry().propagator.extract_with_context(&Context::new(), &Headers(request.headers()));
        let name = method.as_ref().map_or_else(|| names::OTHER.to_owned(), |method| method.name.to_string());
        let tracer = self.process.tracer();
        let builder = tracer.span_builder(name).with_kind(SpanKind::Server);
        let context = parent.with_span(tracer.build_with_context(builder, &parent));
        let notes = request.extensions().get::<CallNotes>().cloned().unwrap_or_default();
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
            upstream: self.upstream(request),
            kept: self.keep(request, writes),
            reply_bytes: 0,
            done: false,
        }
    }

    /// A handler adds the microseconds that it waits for its upstream to an `Arc<AtomicU64>` in the extensions.
    fn upstream(&self, request: &mut Request) -> Option<Arc<AtomicU64>> {
        if self.process.watches().is_some_and(|watches| watches.is_proxy) {
            return None;
        }
        let upstream = Arc::<AtomicU64>::default();
        request.extensions_mut().insert(Arc::clone(&upstream));
        Some(upstream)
    }

    /// Keeps what the call carries, if somebody wants to see it.
    fn keep(&self, request: &mut Request, writes: bool) -> Option<Arc<Kept>> {
        let wanted = self.process.watches().is_some_and(|watches| watches.keep_messages(writes));
        if !wanted || exempt(request.uri().path()) {
            return None;
        }
        let kept = Arc::<Kept>::default();
        let body = std::mem::take(request.body_mut());
        *request.body_mut() = Body::new(Keeping::new(body, Arc::clone(&kept)));
        Some(kept)
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
                observation.finish(code, response.headers_mut());
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
    /// Writes down how the call ended, and where its time went also into the headers or trailers that end it.
    pub(crate) fn finish(mut self, code: Code, headers: &mut HeaderMap) {
        let reason = (code != Code::Ok).then(|| reason::of(headers)).flatten();
        let end = self.end(code, reason);
        if !exempt(&self.path) {
            end.timing.write(self.own_part(), end.took, headers);
        }
        self.write_down(&end);
    }

    /// Takes note of a part of the reply.
    pub(crate) fn replied(&mut self, data: &[u8]) {
        self.reply_bytes += data.len() as u64;
        if let Some(kept) = &self.kept {
            kept.reply.add(data);
        }
    }

    /// Whether the call may have changed something.
    pub(crate) fn writes(&self) -> bool {
        self.method.as_ref().is_some_and(|method| !method.reads) || self.notes.writes()
    }

    /// The status of a call whose handler panicked; counts it.
    pub(crate) fn panicked(&self) -> Status {
        panic::status(&self.process.telemetry().instruments.panics, &self.request_id)
    }

    fn end(&self, code: Code, reason: Option<Reason>) -> End {
        let took = self.begun.elapsed();
        let mut timing = self.notes.timing();
        if let Some(upstream) = &self.upstream {
            let waited = Duration::from_micros(upstream.load(Relaxed));
            timing.upstream = (!waited.is_zero()).then_some(waited);
        }
        End { code, reason, took, timing }
    }

    fn own_part(&self) -> &'static str {
        self.process.watches().map_or("service", Watches::own_part)
    }

    fn write_down(&mut self, end: &End) {
        self.done = true;
        let labels = self.labels(end.code);
        let instruments = &self.process.telemetry().instruments;
        instruments.in_flight.add(-1, &[]);
        instruments.duration.record(end.took.as_secs_f64(), &labels);
        self.count_time(end);
        self.end_span(end, labels);
        self.log(end);
        self.tell(end);
    }

    /// Each second counts once: what was spent behind this process is counted there, but for the upstream's, which counts
    /// nothing itself.
    fn count_time(&self, end: &End) {
        let Some(provider) = self.method_name().and_then(|name| names::provider(&name)) else {
            return;
        };
        let time = &self.process.telemetry().instruments.time;
        let add = |part: &'static str, seconds: Duration| {
            let labels = [KeyValue::new(names::PART, part), KeyValue::new(names::PROVIDER, provider.clone())];
            time.add(seconds.as_secs_f64(), &labels);
        };
        let behind = if self.upstream.is_some() { end.timing.upstream } else { end.timing.service };
        add(self.own_part(), end.took.saturating_sub(behind.unwrap_or_default()));
        if self.upstream.is_some() {
            end.timing.upstream.into_iter().for_each(|waited| add("upstream", waited));
        }
    }

    /// Tells those who keep more of a call than a line.
    fn tell(&self, end: &End) {
        let Some(watches) = self.process.watches().filter(|watches| !watches.are_none()) else {
            return;
        };
        if exempt(&self.path) {
            return;
        }
        let name = self.method_name();
        watches.ended(&Ended {
            process: self.process.name(),
            method: name.as_deref().unwrap_or_else(|| shortened(&self.path)).trim_start_matches('/'),
            is_known: name.is_some(),
            writes: self.writes(),
            code: end.code,
            reason: end.reason.clone(),
            took: end.took,
            service_took: end.timing.service,
            upstream_took: end.timing.upstream,
            principal: self.notes.principal(),
            authentication: self.notes.authentication(),
            account: self.notes.account(),
            instance: self.notes.instance(),
            request_id: &self.request_id,
            trace_id: self.context.span().span_context().trace_id(),
            request_bytes: self.notes.request_bytes(),
            reply_bytes: self.reply_bytes,
            kept: self.kept.as_deref(),
        });
    }

    fn labels(&self, code: Code) -> Vec<KeyValue> {
        let code = names::code_name(code);
        let mut labels = vec![KeyValue::new(names::RPC_SYSTEM, "grpc"), KeyValue::new(names::RPC_STATUS, code)];
        let Some(method) = self.method_name() else {
            labels.push(KeyValue::new(names::RPC_METHOD, names::OTHER));
            return labels;
        };
        let service = method.rsplit_once('/').map_or("", |(service, _)| service).to_owned();
        if let Some(provider) = names::provider(&service) {
            labels.push(KeyValue::new(names::PROVIDER, provider));
        }
        labels.push(KeyValue::new(names::RPC_METHOD, method));
        labels.push(KeyValue::new(names::RPC_SERVICE, service));
        labels
    }

    fn method_name(&self) -> Option<Arc<str>> {
        match &self.method {
            Some(method) => Some(method.name.clone()),
            None if self.notes.known_method() => Some(self.path.trim_start_matches('/').into()),
            None => None,
        }
    }

    fn end_span(&self, end: &End, labels: Vec<KeyValue>) {
        let code = end.code;
        let span = self.context.span();
        if span.is_recording() {
            match self.method_name() {
                Some(name) => span.update_name(name.to_string()),
                None => span.set_attribute(KeyValue::new(names::RPC_METHOD_ORIGINAL, shortened(&self.path).to_owned())),
            }
            span.set_attributes(labels);
            span.set_attribute(KeyValue::new(names::REQUEST_ID, self.request_id.to_string()));
            let facts = [(names::PRINCIPAL, self.notes.principal()), (names::ACCOUNT, self.notes.account())];
            for (name, fact) in facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))) {
                span.set_attribute(KeyValue::new(name, fact.to_owned()));
            }
            let parts = [(names::SERVICE_MS, end.timing.service), (names::UPSTREAM_MS, end.timing.upstream)];
            for (name, part) in parts.into_iter().filter_map(|(name, part)| Some((name, part?))) {
                span.set_attribute(KeyValue::new(name, millis(part)));
            }
            if is_our_fault(code) {
                span.set_attribute(KeyValue::new(names::ERROR_TYPE, names::code_name(code)));
                span.set_status(SpanStatus::error(names::code_name(code)));
            }
        }
        span.end();
    }

    fn log(&self, end: &End) {
        let End { code, took, .. } = *end;
        let name = self.method_name();
        let method = name.as_deref().unwrap_or_else(|| shortened(&self.path));
        let trace_id = self.context.span().span_context().trace_id();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "ispbridge::call",
                    process = self.process.name(),
                    method,
                    code = names::code_name(code),
                    reason = end.reason.as_ref().map(|reason| reason.reason.as_str()),
                    duration_ms = millis(took),
                    service_ms = end.timing.service.map(millis),
                    upstream_ms = end.timing.upstream.map(millis),
                    request_id = &*self.request_id,
                    principal = self.notes.principal(),
                    account = self.notes.account(),
                    %trace_id,
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
            self.write_down(&self.end(Code::Cancelled, None));
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

/// A path of strangers is written down only so far.
fn shortened(path: &str) -> &str {
    &path[..path.floor_char_boundary(128)]
}
