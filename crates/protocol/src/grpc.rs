//! What is gRPC over HTTP/2 at all, and what is said to what is not.

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use serde_json::json;
use tonic::Code;

use crate::{Body, refusal};

/// Whether a content type is gRPC's, whatever the messages are written in. Media types have no case (RFC 9110, 8.3.1).
#[must_use]
pub fn is_grpc(headers: &HeaderMap) -> bool {
    codec(headers).is_some()
}

/// What messages are written in, as the content type says behind its `+`; nothing if it is not gRPC's.
fn codec(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split_once(';').map_or(value, |(essence, _)| essence).trim();
    let (family, codec) = essence.split_once('+').unwrap_or((essence, "proto"));
    family.eq_ignore_ascii_case("application/grpc").then_some(codec)
}

/// The answer to a request that no gRPC server can take: one that is no POST, is not gRPC, or has messages that are not
/// protobuf.
pub fn refusal<B>(request: &Request<B>) -> Option<Response<Body>> {
    match codec(request.headers()) {
        None => Some(not_grpc()),
        Some(_) if request.method() != Method::POST => Some(not_post()),
        Some(codec) if codec.eq_ignore_ascii_case("proto") => None,
        Some(codec) => Some(refusal::unknown_codec(codec).into_http()),
    }
}

/// The reply to a request that is not gRPC at all, as "gRPC over HTTP/2" asks: HTTP's own status, because whoever asks does
/// not read gRPC's.
#[must_use]
pub fn not_grpc() -> Response<Body> {
    let message = "this is gRPC: POST with content-type application/grpc";
    plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "CONTENT_TYPE", message)
}

fn not_post() -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "HTTP_METHOD", "a method is called with POST");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// An error of HTTP with a body as Connect has it. The headers have gRPC's status too, for whoever counts calls.
fn plain(http: StatusCode, reason: &str, message: &str) -> Response<Body> {
    let body = json!({ "code": "unknown", "message": message });
    let mut response: Response<Body> = refusal::refused(Code::Unknown, reason, message).into_http();
    *response.body_mut() = Body::from(body.to_string());
    *response.status_mut() = http;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec_of(value: &'static str) -> Option<String> {
        codec(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))])).map(str::to_owned)
    }

    #[test]
    fn only_grpc_is_grpc() {
        for proto in ["application/grpc", "Application/gRPC ", "application/grpc;a=b", "application/grpc+proto; a=b"] {
            assert_eq!(codec_of(proto).as_deref(), Some("proto"), "{proto}");
        }
        assert_eq!(codec_of("application/GRPC+JSON").as_deref(), Some("JSON"));
        for other in ["application/grpc-web", "application/grpc-web+proto", "application/json", "", "application/grpcx"]
        {
            assert_eq!(codec_of(other), None, "{other}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
