//! The OpenAPI document, for who asks with `GET`.

use bytes::Bytes;
use chassis::{
    Body, Inside,
    message::{self, Encoding},
    names::GRPC_ACCEPT_ENCODING,
};
use http::{HeaderMap, HeaderValue, Response, header, request::Parts};
use http_body_util::BodyExt;
use tonic::Code;

use super::{call, connect::error, gzip, status};

/// In the extensions of a request: the door asks the edge for the document, on behalf of a caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked;

/// Answers a caller that asks for the document.
pub(crate) async fn answer(mut parts: Parts, inside: &Inside) -> Response<Body> {
    let packs = message::wants_gzip(&parts.headers, &header::ACCEPT_ENCODING);
    parts.headers.remove(GRPC_ACCEPT_ENCODING);
    let mut request = call(parts, Body::empty());
    request.extensions_mut().insert(Asked);
    let (head, body) = inside.call(request).await.into_parts();
    let Ok(body) = body.collect().await else {
        return error::response(&status::cut_off());
    };
    let status = status::of(&head.headers, body.trailers().unwrap_or(&HeaderMap::new()));
    let document = match status.code() {
        Code::Ok => message::single(&body.to_bytes(), Encoding::Identity, usize::MAX).map(|(_, document)| document),
        _ => Err(status),
    };
    match document {
        Ok(document) => {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
            let mut response = Response::new(Body::from(gzip::body(document, packs, &mut headers).await));
            *response.headers_mut() = headers;
            response
        }
        Err(status) => error::response(&status),
    }
}

/// The document as a gRPC reply, for the door to unwrap.
pub(crate) fn reply(document: &Bytes) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = http_body_util::Full::new(message::envelope(0, document));
    let body = body.with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
