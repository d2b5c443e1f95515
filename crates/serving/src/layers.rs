//! What happens to every call before a program sees it and after it answered, one concern per file.
//!
//! The layers are plain structs around one another with an `async fn`: a tower service must name its future, which here
//! would mean seven boxes per call. From the outside in: [`entrance`] (the program's door), [`request_id`], [`observe`]
//! (span, metrics, log line: [`observation`]; the reply's
//! body is watched by [`reply`]), [`status`] (standard codes and sizes), [`mod@panic`], [`admission`], [`callers`], [`packing`] (replies in gzip),
//! [`deadline`], [`messages`] (requests whole and unpacked), then what the process puts around its routes, and the routes.

pub(crate) mod admission;
pub(crate) mod callers;
pub(crate) mod deadline;
pub(crate) mod end;
pub(crate) mod entrance;
pub(crate) mod messages;
pub(crate) mod observation;
pub(crate) mod observe;
pub(crate) mod packing;
pub(crate) mod panic;
pub(crate) mod reply;
pub(crate) mod request_id;
pub(crate) mod status;

use std::{future::Future, sync::Arc};

use arc_swap::ArcSwap;
use axum::Router;
use protocol::{Body, caller::Verifier, methods::Methods};
use tower::Service as _;

use crate::{context::ServingContext, transcoder::Transcoder};

/// A request on its way in.
pub type Request = http::Request<Body>;

/// Something that answers a call.
pub trait Service: Send + Sync + 'static {
    /// The body of the answer.
    type Reply;

    /// Answers a call; there are no errors but statuses.
    fn call(&self, request: Request) -> impl Future<Output = http::Response<Self::Reply>> + Send;
}

/// The innermost part: axum's router with the generated services.
#[derive(Clone, Debug)]
pub struct Routed(pub Router);

impl Service for Routed {
    type Reply = Body;

    async fn call(&self, request: Request) -> http::Response<Body> {
        let Ok(response) = self.0.clone().call(request).await;
        response
    }
}

/// Puts the layers around the routes.
pub(crate) fn around(
    routes: impl Service<Reply = Body>,
    serving: &ServingContext,
    methods: Arc<Methods>,
    verifier: Option<Arc<ArcSwap<Verifier>>>,
    transcoder: Option<Arc<dyn Transcoder>>,
) -> impl Service<Reply = entrance::Outgoing> {
    let inner = messages::Messages::new(routes, serving, methods.clone());
    let inner = deadline::Deadline::new(inner, serving, methods.clone());
    let inner = packing::Packing::new(inner, serving);
    let inner = callers::Callers::new(inner, verifier);
    let inner = admission::Admission::new(inner, serving);
    let inner = panic::Panic::new(inner, serving.telemetry().instruments.panics.clone());
    let inner = status::Statuses::new(inner);
    let inner = observe::Observe::new(inner, serving, methods);
    entrance::Entrance::new(request_id::RequestId::new(inner), transcoder, serving)
}

/// Whether a path is open to everybody: health and reflection.
pub(crate) fn exempt(path: &str) -> bool {
    path.starts_with("/grpc.health.") || path.starts_with("/grpc.reflection.")
}
