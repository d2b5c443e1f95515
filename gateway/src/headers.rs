//! Which metadata passes the gateway, in either direction; everything else stops here.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::PathAndQuery};

/// What a caller's request may carry on to a service: no credentials, no hop headers, no baggage, and no caller context
/// but the one that the gateway signs.
const FROM_CALLER: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
    header::USER_AGENT,
    HeaderName::from_static("x-request-id"),
];

/// The suite's own metadata of replies, in headers or trailers.
pub(crate) const METADATA: [&str; 3] =
    [chassis::names::X_REQUEST_ID, chassis::names::X_TIMING, "x-ispbridge-unreadable-fields"];

/// Metadata by which a service says when a call may be repeated: milliseconds, or a negative number for never
/// (gRPC's retry design, A6).
pub(crate) const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Part of what is left of a deadline that a hop keeps for itself, besides [`MARGIN`].
const SHARE: u32 = 20;

/// Time that a hop keeps for itself in any case.
const MARGIN: Duration = Duration::from_millis(50);

/// The metadata that goes on to a service.
pub(crate) fn to_service(headers: &HeaderMap) -> HeaderMap {
    let mut passed = HeaderMap::with_capacity(12);
    for name in &FROM_CALLER {
        let value = headers.get(name).filter(|value| value.to_str().is_ok());
        if let Some(value) = value {
            passed.insert(name.clone(), value.clone());
        }
    }
    passed.insert(header::TE, HeaderValue::from_static("trailers"));
    passed
}

/// The metadata of a reply or its trailers that goes back to the caller.
pub(crate) fn to_caller(mut headers: HeaderMap) -> HeaderMap {
    let stopped: Vec<_> = headers.keys().filter(|name| !may_return(name)).cloned().collect();
    for name in &stopped {
        headers.remove(name);
    }
    headers
}

fn may_return(name: &HeaderName) -> bool {
    let name = name.as_str();
    name == "content-type" || name.starts_with("grpc-") || name.starts_with("x-ispbridge-")
}

/// The address of a method at an instance.
pub(crate) fn target(origin: &Uri, path: &str) -> Uri {
    let mut parts = origin.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    Uri::from_parts(parts).unwrap_or_else(|_| origin.clone())
}

/// What a hop passes on of the time that is left: less 50 ms and 5 %.
pub(crate) fn passed_on(left: Duration) -> Option<Duration> {
    let kept = MARGIN + left / SHARE;
    left.checked_sub(kept).filter(|passed| *passed >= Duration::from_millis(1))
}

/// How long the gateway itself waits: half of the margin beyond what it passed on, so that its answer is still in time.
pub(crate) fn waited_for(left: Duration) -> Duration {
    left.saturating_sub((MARGIN + left / SHARE) / 2)
}

/// A `grpc-timeout` in milliseconds, which eight digits always hold under the longest deadline of the suite.
pub(crate) fn grpc_timeout(left: Duration) -> HeaderValue {
    let millis = left.as_millis().min(99_999_999);
    let mut value = HeaderValue::try_from(format!("{millis}m")).unwrap_or(HeaderValue::from_static("1m"));
    // As in `hop`: different in each call.
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_hop_headers_and_foreign_contexts_stop() {
        let mut headers = HeaderMap::new();
        let sent = [
            ("content-type", "application/grpc"),
            ("user-agent", "billing/1"),
            ("x-request-id", "r1"),
            ("x-api-key", "ispb_secret"),
            ("authorization", "Bearer secret"),
            ("cookie", "a=b"),
            ("connection", "x-a"),
            ("baggage", "a=b"),
            ("x-ispbridge-context", "forged"),
            ("x-ispbridge-account", "other"),
            ("x-forwarded-for", "10.0.0.1"),
            ("grpc-timeout", "1H"),
            ("traceparent", "garbage"),
        ];
        for (name, value) in sent {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let passed = to_service(&headers);
        let mut names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "te", "user-agent", "x-request-id"]);
    }

    #[test]
    fn a_hop_keeps_fifty_milliseconds_and_a_twentieth() {
        assert_eq!(passed_on(Duration::from_secs(10)), Some(Duration::from_millis(9450)));
        assert_eq!(passed_on(Duration::from_millis(52)), None);
        for millis in [60, 100, 1000, 300_000] {
            let left = Duration::from_millis(millis);
            assert!(passed_on(left).unwrap() < waited_for(left) && waited_for(left) < left);
        }
    }
}
