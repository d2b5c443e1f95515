//! Transcoding for callers that do not speak gRPC: a transcoder stands in front of all layers, so that everything behind it
//! is plain gRPC.

use std::{
    fmt::{self, Debug},
    future::Future,
    pin::Pin,
    sync::Arc,
};

use http::{Request, Response};
use protocol::Body;
use tonic::Status;

/// An answer that is being made.
pub type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Translates requests into gRPC and the answers back ([`crate::ServiceSet::transcoder`]). A process with one takes HTTP/1.1 and
/// HTTP/2 on one port.
pub trait Transcoder: Debug + Send + Sync + 'static {
    /// Whether a request is for the transcoder; every other goes to the layers as it is.
    fn takes(&self, request: &Request<Body>) -> bool;

    /// Answers a request, as a rule with a gRPC call [`Inner`]. Its body is capped by `server.max_request_bytes`; nothing
    /// else of what the layers do has been done to it.
    fn answer(&self, request: Request<Body>, inside: Inner) -> Answering;

    /// Writes the answer to a request over which the transcoder panicked.
    fn failed(&self, status: &Status) -> Response<Body>;
}

/// The layers and the program behind a transcoder.
#[derive(Clone)]
pub struct Inner(Arc<dyn Fn(Request<Body>) -> Answering + Send + Sync>);

impl Inner {
    pub(crate) fn new(call: impl Fn(Request<Body>) -> Answering + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    /// Makes a gRPC call: a POST with a gRPC content type. The reply ends with trailers that have a `grpc-status`, unless
    /// its headers have it.
    pub async fn call(&self, request: Request<Body>) -> Response<Body> {
        (self.0)(request).await
    }
}

impl Debug for Inner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Inner")
    }
}
