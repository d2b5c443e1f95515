//! One span, one measurement and one log line for a call that ends, and a word to those who keep more.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    trace::{Status as SpanStatus, TraceContextExt},
};
use protocol::call::UpstreamTime;
use protocol::{Reason, method::Idempotency, methods::Method, names, provider, reason, timing::Timing};
use telemetry::Timed;
use tonic::{Code, Status};

use super::{exempt, panic};
use crate::{
    completed_call::{CompletedCall, millis},
    context::ServingContext,
    message::Captured,
    notes::CallNotes,
    observers::Observers,
};

/// One call that has begun and not ended; dropped without an end it counts as cancelled by the caller.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(super) serving: ServingContext,
    pub(super) context: Context,
    pub(super) begun: Instant,
    pub(super) path: Box<str>,
    pub(super) method: Option<Method>,
    pub(super) request_id: Box<str>,
    pub(super) notes: CallNotes,
    /// Where the caller is.
    pub(super) client_address: Option<IpAddr>,
    /// How long the handler waited for its upstream.
    pub(super) upstream: Option<UpstreamTime>,
    pub(super) captured: Option<Arc<Captured>>,
    pub(super) reply_bytes: u64,
    pub(super) done: bool,
}

/// How a call ended.
struct End {
    code: Code,
    reason: Option<Reason>,
    took: Duration,
    timing: Timing,
}

impl End {
    /// Whether the code makes a server span an error (semantic conventions for gRPC), unless it is about a malformed request.
    fn is_our_fault(&self) -> bool {
        let is_callers = self.reason.as_ref().is_some_and(|reason| reason.is_callers);
        !is_callers
            && matches!(
                self.code,
                Code::Unknown
                    | Code::DeadlineExceeded
                    | Code::Unimplemented
                    | Code::Internal
                    | Code::Unavailable
                    | Code::DataLoss
            )
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
        if let Some(captured) = &self.captured {
            captured.reply.add(data);
        }
    }

    /// Whether the call may have changed something.
    pub(crate) fn writes(&self) -> bool {
        self.method.as_ref().is_some_and(|method| method.idempotency == Idempotency::Write) || self.notes.writes()
    }

    /// The status of a call whose handler panicked; counts it.
    pub(crate) fn panicked(&self) -> Status {
        panic::status(&self.serving.telemetry().instruments.panics, &self.request_id)
    }

    fn end(&self, code: Code, reason: Option<Reason>) -> End {
        let took = self.begun.elapsed();
        let mut timing = self.notes.timing();
        if let Some(upstream) = &self.upstream {
            let waited = upstream.total();
            timing.upstream = (!waited.is_zero()).then_some(waited);
        }
        End { code, reason, took, timing }
    }

    fn own_part(&self) -> &'static str {
        self.serving.observers().map_or("service", Observers::own_part)
    }

    fn write_down(&mut self, end: &End) {
        self.done = true;
        let instruments = &self.serving.telemetry().instruments;
        instruments.in_flight.add(-1, &[]);
        self.time(end);
        self.count_time(end);
        self.end_span(end);
        self.log(end);
        self.tell(end);
    }

    fn time(&self, end: &End) {
        let End { code, took, .. } = *end;
        let name = self.method_name().unwrap_or(names::OTHER);
        let span = self.context.span();
        let timed = Timed { name, code, took, span: span.span_context(), failed: end.is_our_fault() };
        self.serving.telemetry().instruments.duration.record(&timed, || self.labels(code));
    }

    /// Each second counts once: what was spent behind this process is counted there, but for the upstream's, which counts
    /// nothing itself.
    fn count_time(&self, end: &End) {
        let Some(method) = self.method_name() else {
            return;
        };
        let time = &self.serving.telemetry().instruments.time;
        let add = |part: &'static str, took: Duration| time.add(part, method, took);
        let behind = if self.upstream.is_some() { end.timing.upstream } else { end.timing.service };
        add(self.own_part(), end.took.saturating_sub(behind.unwrap_or_default()));
        if self.upstream.is_some() {
            end.timing.upstream.into_iter().for_each(|waited| add("upstream", waited));
        }
    }

    /// Tells those who keep more of a call than a line.
    fn tell(&self, end: &End) {
        let Some(observers) = self.serving.observers().filter(|observers| !observers.are_none()) else {
            return;
        };
        if exempt(&self.path) {
            return;
        }
        let name = self.method_name();
        observers.ended(&CompletedCall {
            process: self.serving.name(),
            method: name.unwrap_or_else(|| shortened(&self.path)).trim_start_matches('/'),
            is_known: name.is_some(),
            writes: self.writes(),
            code: end.code,
            reason: end.reason.clone(),
            took: end.took,
            service_took: end.timing.service,
            upstream_took: end.timing.upstream,
            principal: self.notes.principal(),
            authentication: self.notes.authentication(),
            client_address: self.client_address,
            account: self.notes.account(),
            instance: self.notes.instance(),
            request_id: &self.request_id,
            trace_id: self.context.span().span_context().trace_id(),
            request_bytes: self.notes.request_bytes(),
            reply_bytes: self.reply_bytes,
            captured: self.captured.as_deref(),
            announced: self.notes.announced(),
        });
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
        if let Some(provider) = provider::of_name(&service) {
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

    fn end_span(&self, end: &End) {
        let code = end.code;
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
            if let Some(address) = self.client_address {
                span.set_attribute(KeyValue::new(names::CLIENT_ADDRESS, address.to_string()));
            }
            let parts = [(names::SERVICE_MS, end.timing.service), (names::UPSTREAM_MS, end.timing.upstream)];
            for (name, part) in parts.into_iter().filter_map(|(name, part)| Some((name, part?))) {
                span.set_attribute(KeyValue::new(name, millis(part)));
            }
            if end.is_our_fault() {
                span.set_attribute(KeyValue::new(names::ERROR_TYPE, names::code_name(code)));
                span.set_status(SpanStatus::error(names::code_name(code)));
            }
        }
        span.end();
    }

    fn log(&self, end: &End) {
        let End { code, took, .. } = *end;
        let method = self.method_name().unwrap_or_else(|| shortened(&self.path));
        let mut trace_id = String::with_capacity(32);
        telemetry::push_hex(&mut trace_id, &self.context.span().span_context().trace_id().to_bytes());
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "ispbridge::call",
                    process = self.serving.name(),
                    method,
                    code = names::code_name(code),
                    reason = end.reason.as_ref().map(|reason| reason.reason.as_str()),
                    duration_ms = millis(took),
                    service_ms = end.timing.service.map(millis),
                    upstream_ms = end.timing.upstream.map(millis),
                    request_id = &*self.request_id,
                    principal = self.notes.principal(),
                    account = self.notes.account(),
                    client_address = self.client_address.as_ref().map(tracing::field::display),
                    trace_id,
                    "call"
                )
            };
        }
        match exempt(&self.path) {
            true => line!(debug),
            false if end.is_our_fault() => line!(warn),
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

/// A path of strangers is written down only so far.
fn shortened(path: &str) -> &str {
    &path[..path.floor_char_boundary(128)]
}
