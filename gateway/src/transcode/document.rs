//! The OpenAPI document as an HTTP reply. The edge writes it: it knows the caller, and so what the document may show.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header, request::Parts};
use http_body_util::{BodyExt, Full};
use protocol::headers::{GRPC_ACCEPT_ENCODING, GRPC_STATUS};
use protocol::{Body, method::Idempotency};
use serving::{Inner, message};

use super::{
    call,
    connect::{ReplyForm, finished},
    json::Codec,
};

/// Marks a request for the document, in its extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked;

/// Answers a caller that asks for the document.
pub(crate) async fn answer(mut parts: Parts, inside: &Inner) -> Response<Body> {
    let packs = message::wants_gzip(&parts.headers, &header::ACCEPT_ENCODING);
    parts.headers.remove(GRPC_ACCEPT_ENCODING);
    let mut request = call(parts, Body::empty());
    request.extensions_mut().insert(Asked);
    let (head, body) = inside.call(request).await.into_parts();
    let form = ReplyForm { codec: Codec::Json, packs };
    let mut response = finished(head, body, form, None, || Some(Idempotency::Read)).await;
    if response.status().is_success() {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    response
}

/// The document as the one message of a gRPC reply.
pub(crate) fn reply(document: &Bytes) -> Response<Body> {
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(message::envelope(0, document)).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
