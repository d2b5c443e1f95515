//! Transcoding for callers that do not use gRPC over HTTP/2: Connect, gRPC-Web and plain JSON on the same port.
//!
//! The transcoder is the outermost layer (`serving::Transcoder`): it turns a request into a plain gRPC call, and the
//! reply into the caller's protocol. Only JSON needs message descriptors; those come from the catalog.

mod connect;
mod cors;
mod deferred;
mod detect;
pub(crate) mod document;
mod error;
mod gzip;
mod json;
mod rewrite;
mod status;
mod web;

use std::{fmt, sync::Arc};

use chassis::Process;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version, header, request::Parts};
use protocol::Body;
use protocol::headers;
use serving::{Answering, Inner, Transcoder};
use tonic::Status;

use crate::{
    catalog::Catalog,
    config::doors::DoorsConfig,
    transcode::{cors::Cors, detect::Protocol},
};

pub(crate) use deferred::is_deferred;

/// Headers that are not copied to the gRPC call: they concern the connection or the encoding of the body.
const NOT_FOR_GRPC: [HeaderName; 14] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    headers::CONNECT_ACCEPT_ENCODING,
    headers::CONNECT_CONTENT_ENCODING,
    headers::CONNECT_PROTOCOL_VERSION,
    headers::CONNECT_TIMEOUT,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    header::TRANSFER_ENCODING,
    headers::GRPC_WEB,
];

/// The transcoder of the gateway.
#[derive(Clone)]
pub(crate) struct HttpTranscoder(Arc<TranscoderState>);

struct TranscoderState {
    open: DoorsConfig,
    cors: Cors,
    catalog: Arc<Catalog>,
    max_request: usize,
}

impl HttpTranscoder {
    /// A transcoder for the protocols that the configuration allows.
    pub(crate) fn new(config: &DoorsConfig, catalog: Arc<Catalog>, process: &Process) -> Self {
        let max_request = usize::try_from(process.settings().server.max_request_bytes).unwrap_or(usize::MAX);
        let inner = TranscoderState { open: config.clone(), cors: Cors::new(&config.cors), catalog, max_request };
        Self(Arc::new(inner))
    }
}

impl fmt::Debug for HttpTranscoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Doors").field(&self.0.open).finish()
    }
}

impl Transcoder for HttpTranscoder {
    fn takes(&self, request: &Request<Body>) -> bool {
        let is_native = request.version() == Version::HTTP_2
            && request.method() == Method::POST
            && protocol::grpc::is_grpc(request.headers());
        !is_native
    }

    fn failed(&self, status: &Status) -> Response<Body> {
        error::response(status)
    }

    fn answer(&self, request: Request<Body>, inside: Inner) -> Answering {
        let transcoder = Arc::clone(&self.0);
        Box::pin(async move {
            if let Some(response) = transcoder.cors.preflight(&request) {
                return response;
            }
            let origin = request.headers().get(header::ORIGIN).cloned();
            let mut response = transcoder.open(request, inside).await;
            transcoder.cors.mark(origin.as_ref(), response.headers_mut());
            response
        })
    }
}

impl TranscoderState {
    async fn open(&self, request: Request<Body>, inside: Inner) -> Response<Body> {
        let protocol = Protocol::of(&request, &self.open);
        let (parts, body) = request.into_parts();
        match protocol {
            Ok(Protocol::Web { text }) => web::answer(parts, body, text, &inside).await,
            Ok(Protocol::Unary(codec)) => connect::unary(self, parts, body, codec, &inside).await,
            Ok(Protocol::Document) => document::answer(parts, &inside).await,
            Ok(Protocol::Get) => connect::get(self, parts, &inside).await,
            Ok(Protocol::Stream(codec)) => connect::stream(self, parts, body, codec, &inside).await,
            Err(refusal) => *refusal,
        }
    }
}

/// The gRPC call for a request: the same path, credentials and trace, another body.
fn call(mut parts: Parts, body: Body) -> Request<Body> {
    for name in NOT_FOR_GRPC {
        parts.headers.remove(name);
    }
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    parts.headers.insert(header::TE, HeaderValue::from_static("trailers"));
    (parts.method, parts.version) = (Method::POST, Version::HTTP_2);
    Request::from_parts(parts, body)
}

/// The metadata of a reply without what belongs to gRPC's own framing.
fn metadata(headers: HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(headers.len());
    let mut last = None;
    for (name, value) in headers {
        // A map names a header once for all of its values.
        last = name.or(last);
        if let Some(name) = &last
            && !headers::is_of_grpc(name)
            && name != header::CONTENT_TYPE
        {
            kept.append(name.clone(), value);
        }
    }
    kept
}
