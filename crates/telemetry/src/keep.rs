//! Spans of traces that were not chosen, kept all the same if they ended badly or took long.
//!
//! The decision is made when a span ends, by what it says of itself; its parents and children decide for themselves. What
//! makes it possible is that every span is recorded, which costs: see `telemetry.keep_errors`.

use std::time::Duration;

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanContext, SpanKind, Status, TraceFlags, TraceId},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample, Span, SpanData, SpanProcessor},
};

use crate::settings::TelemetrySettings;

/// Which spans are kept though nobody chose their trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    errors: bool,
    slower_than: Option<Duration>,
}

/// Records what the sampler drops, so that it can be looked at when it ends.
#[derive(Clone, Debug)]
pub(crate) struct Recording(pub(crate) Sampler);

/// Marks what is to be kept as chosen, in front of what exports it.
#[derive(Debug)]
pub(crate) struct Keeper<P> {
    keep: Keep,
    inner: P,
}

impl Keep {
    /// What is asked for; nothing if no span is kept for its end.
    pub(crate) fn of(settings: &TelemetrySettings) -> Option<Self> {
        let slower_than = settings.keep_slower_than_ms.map(Duration::from_millis);
        (settings.keep_errors || slower_than.is_some()).then_some(Self { errors: settings.keep_errors, slower_than })
    }

    /// Puts the choice in front of a processor.
    pub(crate) fn before<P>(self, inner: P) -> Keeper<P> {
        Keeper { keep: self, inner }
    }

    /// Whether a span that ends so is kept.
    pub(crate) fn wants(self, failed: bool, took: Duration) -> bool {
        (self.errors && failed) || self.slower_than.is_some_and(|limit| took > limit)
    }
}

impl ShouldSample for Recording {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self.0.should_sample(parent, trace_id, name, kind, attributes, links);
        if result.decision == SamplingDecision::Drop {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
    }
}

impl<P: SpanProcessor> SpanProcessor for Keeper<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        if !span.span_context.is_sampled() {
            let failed = matches!(span.status, Status::Error { .. });
            let took = span.end_time.duration_since(span.start_time).unwrap_or_default();
            if !self.keep.wants(failed, took) {
                return;
            }
            span.span_context = chosen(&span.span_context);
        }
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn chosen(context: &SpanContext) -> SpanContext {
    let flags = context.trace_flags() | TraceFlags::SAMPLED;
    SpanContext::new(context.trace_id(), context.span_id(), flags, context.is_remote(), context.trace_state().clone())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// Notes the names of the spans that would be exported.
    #[derive(Clone, Debug, Default)]
    struct Names(Arc<Mutex<Vec<String>>>);

    impl SpanProcessor for Names {
        fn on_start(&self, _: &mut Span, _: &Context) {}

        fn on_end(&self, span: SpanData) {
            assert!(span.span_context.is_sampled());
            self.0.lock().unwrap().push(span.name.into_owned());
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    fn kept(settings: &TelemetrySettings, sampler: Sampler) -> Vec<String> {
        let names = Names::default();
        let keep = Keep::of(settings).unwrap();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Recording(sampler))
            .with_span_processor(keep.before(names.clone()))
            .build();
        let tracer = provider.tracer("test");
        let begun = std::time::SystemTime::now();
        let span = |name: &'static str| tracer.span_builder(name).with_start_time(begun).start(&tracer);
        span("fine").end_with_timestamp(begun + Duration::from_millis(10));
        span("slow").end_with_timestamp(begun + Duration::from_millis(11));
        let mut failed = span("failed");
        failed.set_status(Status::error("INTERNAL"));
        failed.end_with_timestamp(begun);
        drop(provider);
        names.0.lock().unwrap().clone()
    }

    #[test]
    fn what_failed_or_was_slow_is_kept() {
        let both =
            TelemetrySettings { keep_errors: true, keep_slower_than_ms: Some(10), ..TelemetrySettings::default() };
        assert_eq!(kept(&both, Sampler::AlwaysOff), ["slow", "failed"]);
        assert_eq!(kept(&both, Sampler::AlwaysOn), ["fine", "slow", "failed"]);
        let errors = TelemetrySettings { keep_slower_than_ms: None, ..both };
        assert_eq!(kept(&errors, Sampler::AlwaysOff), ["failed"]);
        assert!(Keep::of(&TelemetrySettings::default()).is_none());
    }
}
