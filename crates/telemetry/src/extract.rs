//! Where the trace of a call comes from.

use http::{HeaderMap, HeaderName};
use opentelemetry::propagation::Extractor;
use protocol::headers::{TRACEPARENT, TRACESTATE};

/// The headers of a request as a propagator reads them; a `traceparent` that is none does not exist.
pub struct Headers<'a>(pub &'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        // The propagator asks every call for these two, and names them as texts.
        let known = [TRACEPARENT, TRACESTATE].into_iter().find(|name| name == key);
        let value = known.map_or_else(|| self.0.get(key), |name| self.0.get(name))?;
        let value = value.to_str().ok()?;
        (TRACEPARENT != key || is_trace(value)).then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// Whether a text has the form `00-<32 hex digits>-<16>-<2>` (W3C Trace Context; a later version may have more behind it):
/// the propagator of the SDK would pad shorter ones.
fn is_trace(text: &str) -> bool {
    let (known, more) = text.split_at_checked(55).unwrap_or((text, ""));
    let parts: Vec<_> = known.split('-').collect();
    let hex = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    parts.iter().map(|part| part.len()).eq([2, 32, 16, 2])
        && parts.iter().all(hex)
        && (more.is_empty() || (more.starts_with('-') && parts[0] != "00"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use opentelemetry::{Context, propagation::TextMapPropagator, trace::TraceContextExt};
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use proptest::prelude::*;

    use super::*;

    fn extracted(traceparent: &[u8], tracestate: &[u8]) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_bytes(traceparent).ok()?);
        headers.insert("tracestate", HeaderValue::from_bytes(tracestate).ok()?);
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(&headers));
        let span = context.span().span_context().clone();
        span.is_valid().then(|| (span.trace_id().to_string(), span.span_id().to_string()))
    }

    proptest! {
        #[test]
        fn a_trace_is_continued_as_it_came_or_not_at_all(parent in "[ -~]{0,60}", state in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some((trace, span)) = extracted(parent.as_bytes(), &state) {
                prop_assert!(parent.contains(&trace) && parent.contains(&span), "{}", parent);
            }
        }

        #[test]
        fn one_wrong_character_ends_a_trace(at in 0..55_usize, wrong in "[^0-9a-f]") {
            let mut parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
            prop_assume!(!parent[at..].starts_with(&wrong));
            parent.replace_range(at..=at, &wrong);
            prop_assert_eq!(extracted(parent.as_bytes(), b""), None);
        }
    }

    #[test]
    fn the_corpus_of_traces_is_read_as_it_says() {
        for line in include_str!("../tests/corpus/traceparent.txt").lines() {
            let (parent, verdict) = line.split_once(" => ").unwrap();
            assert_eq!(extracted(parent.as_bytes(), b"").is_some(), verdict == "continued", "{parent:?}");
        }
    }
}
