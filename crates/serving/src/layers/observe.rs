//! The beginning of a call: its span, its place among those in flight, and what is kept of it.

use std::{sync::Arc, time::Instant};

use http::Response;
use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanKind, TraceContextExt, Tracer},
};
use protocol::call::{CallContext, DrainPermit, UpstreamTime};
use protocol::{Body, headers, method::Idempotency, methods::Methods, names};

use super::{
    Request, Service,
    deadline::Until,
    exempt,
    observation::Observation,
    reply::{Bounds, Reply},
    request_id, status,
};
use crate::{
    context::ServingContext,
    drain::Draining,
    message::{Captured, Capturing},
    notes::CallNotes,
    peer::Peer,
    send_buffer::ReplyBuffer,
};

/// Observers every call.
#[derive(Debug)]
pub(crate) struct Observe<S> {
    inner: S,
    serving: ServingContext,
    methods: Arc<Methods>,
    draining: Draining,
    max_reply_bytes: u64,
    max_download_bytes: u64,
}

impl<S> Observe<S> {
    pub(crate) fn new(inner: S, serving: &ServingContext, methods: Arc<Methods>) -> Self {
        let (max_reply_bytes, max_download_bytes) =
            (serving.settings().max_reply_bytes, serving.settings().max_download_bytes);
        let (serving, draining) = (serving.clone(), serving.draining());
        Self { inner, serving, methods, draining, max_reply_bytes, max_download_bytes }
    }

    fn begin(&self, request: &mut Request) -> Observation {
        let path: Box<str> = request.uri().path().into();
        let method = self.methods.get(&path).cloned();
        let writes = method.as_ref().is_some_and(|method| method.idempotency == Idempotency::Write);
        let parent = self
            .serving
            .telemetry()
            .propagator
            .extract_with_context(&Context::new(), &telemetry::Headers(request.headers()));
        let tracer = self.serving.tracer();
        // Its real name comes at the end, and only to a span that is kept.
        let builder = tracer.span_builder(names::OTHER).with_kind(SpanKind::Server);
        let context = parent.with_span(tracer.build_with_context(builder, &parent));
        let notes = request.extensions_mut().get_or_insert_default::<CallNotes>().clone();
        let peer = request.extensions().get::<Peer>();
        let client_address = peer.map(|peer| peer.address().ip().to_canonical());
        let request_id = request_id::of(request.headers()).into();
        let upstream = self.upstream();
        let call = CallContext { trace: context.clone(), upstream_time: upstream.clone(), ..CallContext::default() };
        request.extensions_mut().insert(call);
        self.serving.telemetry().instruments.in_flight.add(1, &[]);
        Observation {
            serving: self.serving.clone(),
            context,
            begun: Instant::now(),
            path,
            method,
            request_id,
            notes,
            client_address,
            upstream,
            captured: self.keep(request, writes),
            reply_bytes: 0,
            done: false,
        }
    }

    /// Where a handler counts the time that it waits for its upstream; a proxy has none.
    fn upstream(&self) -> Option<UpstreamTime> {
        let is_proxy = self.serving.observers().is_some_and(|observers| observers.is_proxy());
        (!is_proxy).then(UpstreamTime::default)
    }

    /// Keeps what the call carries, if somebody wants to see it.
    fn keep(&self, request: &mut Request, writes: bool) -> Option<Arc<Captured>> {
        let wanted = self.serving.observers().is_some_and(|observers| observers.keep_messages(writes));
        if !wanted || exempt(request.uri().path()) {
            return None;
        }
        let captured = Arc::<Captured>::default();
        let body = std::mem::take(request.body_mut());
        *request.body_mut() = Body::new(Capturing::new(body, Arc::clone(&captured)));
        Some(captured)
    }
}

impl<S: Service<Reply = Body>> Service for Observe<S> {
    type Reply = Reply;

    async fn call(&self, mut request: Request) -> Response<Reply> {
        let (endless, unsaid) = (exempt(request.uri().path()), status::unsaid(request.uri().path()));
        let buffer = request.extensions_mut().remove::<Arc<ReplyBuffer>>();
        let observation = self.begin(&mut request);
        let mut response = self.inner.call(request).await;
        let place = response.extensions_mut().remove::<DrainPermit>();
        let (left, limit) = match response.headers().contains_key(&headers::DOWNLOAD) {
            _ if endless => (u64::MAX, ""),
            true => (self.max_download_bytes, "server.max_download_bytes"),
            false => (self.max_reply_bytes, "server.max_reply_bytes"),
        };
        let bounds = Bounds {
            left,
            limit,
            deadline: response.extensions_mut().remove::<Until>().map(|until| until.0),
            draining: self.draining.clone(),
            buffer: buffer.unwrap_or_else(|| ReplyBuffer::alone(self.serving.budget())),
            unsaid,
        };
        let observation = match protocol::told::code(response.headers()) {
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
