//! What is gRPC over HTTP/2 at all, and what is said to what is not.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use crate::Body;

/// Whether a content type is gRPC's.
#[must_use]
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    matches!(value.strip_prefix(b"application/grpc"), Some([] | [b'+' | b';', ..]))
}

/// The reply to a request that is not gRPC at all, as "gRPC over HTTP/2" asks: HTTP's own status, because whoever asks does
/// not read gRPC's.
#[must_use]
pub fn not_grpc() -> Response<Body> {
    let mut response = Response::new(Body::from("ispbridge speaks gRPC: POST with content-type application/grpc\n"));
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grpc_is_grpc() {
        let is =
            |value: &'static str| is_grpc(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]));
        assert!(is("application/grpc") && is("application/grpc+proto") && is("application/grpc;a=b"));
        assert!(!is("application/grpc-web") && !is("application/json") && !is_grpc(&HeaderMap::new()));
    }
}
