//! The two spans of a call by hand, exported to the same collector at the same share.

use std::net::SocketAddr;

use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{Span as _, SpanKind, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracer, SdkTracerProvider, Span},
};
use tonic::metadata::{KeyRef, MetadataMap};

use crate::{Failure, wiring};

/// Makes spans.
#[derive(Clone)]
pub(super) struct Trace {
    tracer: SdkTracer,
    /// Exports for as long as it lives.
    _provider: SdkTracerProvider,
    upstream: SocketAddr,
}

/// The span of the gRPC call.
pub(super) struct ServerSpan(Context);

/// The span of the upstream call.
pub(super) struct ClientSpan(Span);

struct Metadata<'a>(&'a MetadataMap);

impl Trace {
    pub(super) fn new(collector: SocketAddr, upstream: SocketAddr) -> Result<Self, Failure> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(format!("http://{collector}"))
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name("yardstick").build())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(wiring::SAMPLING))))
            .with_batch_exporter(exporter)
            .build();
        Ok(Self { tracer: provider.tracer("yardstick"), _provider: provider, upstream })
    }

    pub(super) fn server(&self, method: &'static str, metadata: &MetadataMap) -> ServerSpan {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Metadata(metadata));
        let span = self
            .tracer
            .span_builder(method)
            .with_kind(SpanKind::Server)
            .with_attributes([KeyValue::new("rpc.system.name", "grpc"), KeyValue::new("rpc.method", method)])
            .start_with_context(&self.tracer, &parent);
        ServerSpan(parent.with_span(span))
    }

    pub(super) fn client(&self, parent: &Context, method: &'static str, template: &'static str) -> ClientSpan {
        let mut span =
            self.tracer.span_builder(method).with_kind(SpanKind::Client).start_with_context(&self.tracer, parent);
        if span.is_recording() {
            span.set_attributes([
                KeyValue::new("http.request.method", method),
                KeyValue::new("server.address", self.upstream.ip().to_string()),
                KeyValue::new("server.port", i64::from(self.upstream.port())),
                KeyValue::new("url.template", template),
            ]);
        }
        ClientSpan(span)
    }
}

impl ServerSpan {
    pub(super) fn context(&self) -> &Context {
        &self.0
    }

    pub(super) fn end(self) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new("rpc.response.status_code", "OK"));
        span.end();
    }
}

impl ClientSpan {
    pub(super) fn end(mut self, status: u16) {
        self.0.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        self.0.end();
    }
}

impl Extractor for Metadata<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        let name = |key| match key {
            KeyRef::Ascii(key) => key.as_str(),
            KeyRef::Binary(key) => key.as_str(),
        };
        self.0.keys().map(name).collect()
    }
}
