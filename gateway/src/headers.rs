//! Which metadata passes the gateway, in either direction; everything else is dropped.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::PathAndQuery};
use protocol::headers::{
    GRPC_ACCEPT_ENCODING, GRPC_ENCODING, REQUEST_ID, TIMING, UNREADABLE_FIELDS, is_of_grpc, is_ours,
};

/// The headers of a request that are forwarded to a service: no credentials, no hop headers, no baggage, and no caller context
/// but the one that the gateway signs.
const FROM_CALLER: [HeaderName; 5] =
    [header::CONTENT_TYPE, GRPC_ENCODING, GRPC_ACCEPT_ENCODING, header::USER_AGENT, REQUEST_ID];

/// The suite's own metadata of replies, in headers or trailers.
pub(crate) const METADATA: [HeaderName; 3] = [REQUEST_ID, TIMING, UNREADABLE_FIELDS];

/// The metadata that is forwarded to a service.
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

/// The metadata of a reply or its trailers that is returned to the caller.
pub(crate) fn to_caller(mut headers: HeaderMap) -> HeaderMap {
    let stopped: Vec<_> = headers.keys().filter(|name| !may_return(name)).cloned().collect();
    for name in &stopped {
        headers.remove(name);
    }
    headers
}

fn may_return(name: &HeaderName) -> bool {
    *name == header::CONTENT_TYPE || is_of_grpc(name) || is_ours(name)
}

/// The address of a method at an instance.
pub(crate) fn target(origin: &Uri, path: &str) -> Uri {
    let mut parts = origin.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    Uri::from_parts(parts).unwrap_or_else(|_| origin.clone())
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
}
