//! How a trace travels: W3C Trace Context, read by the SDK and written here.

use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator, text_map_propagator::FieldIter},
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use protocol::headers::{TRACEPARENT, TRACESTATE};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The SDK's propagator, which formats each header by machinery and sends `tracestate` even if it is empty, with a writer
/// of its own.
#[derive(Debug)]
pub(crate) struct TraceContext(TraceContextPropagator);

impl TraceContext {
    pub(crate) fn new() -> Self {
        Self(TraceContextPropagator::new())
    }
}

impl TextMapPropagator for TraceContext {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span = span.span_context();
        if !span.is_valid() {
            return;
        }
        injector.set(TRACEPARENT.as_str(), traceparent(span));
        let state = span.trace_state().header();
        if !state.is_empty() {
            injector.set(TRACESTATE.as_str(), state);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        self.0.extract_with_context(context, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}

fn traceparent(span: &SpanContext) -> String {
    let mut text = String::with_capacity(55);
    text.push_str("00-");
    push_hex(&mut text, &span.trace_id().to_bytes());
    text.push('-');
    push_hex(&mut text, &span.span_id().to_bytes());
    text.push_str(if span.is_sampled() { "-01" } else { "-00" });
    text
}

/// Spells bytes in lower case, as W3C asks.
pub fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, str::FromStr};

    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    fn injected(propagator: &dyn TextMapPropagator, state: &str, flags: TraceFlags) -> HashMap<String, String> {
        let (trace, span) = (TraceId::from(0x4bf9_2f35_77b3), SpanId::from(0x00f0_67aa_0ba9_02b7));
        let state = TraceState::from_str(state).unwrap();
        let context = Context::new().with_remote_span_context(SpanContext::new(trace, span, flags, false, state));
        let mut headers = HashMap::new();
        propagator.inject_context(&context, &mut headers);
        headers
    }

    #[test]
    fn headers_are_those_of_the_sdk_but_for_an_empty_state() {
        for (state, flags) in [("", TraceFlags::SAMPLED), ("a=b,c=d", TraceFlags::NOT_SAMPLED)] {
            let mut theirs = injected(&TraceContextPropagator::new(), state, flags);
            theirs.retain(|_, value| !value.is_empty());
            assert_eq!(injected(&TraceContext::new(), state, flags), theirs);
        }
    }

    #[test]
    fn no_span_has_no_headers() {
        let mut headers: HashMap<String, String> = HashMap::new();
        TraceContext::new().inject_context(&Context::new(), &mut headers);
        assert!(headers.is_empty());
    }
}
