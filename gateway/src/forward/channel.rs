//! The gateway's own calls to a service (reflection, health), as a tonic client sees them.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Uri};
use protocol::method::Idempotency;
use tokio::time::Instant;
use tonic::body::Body;
use tower::Service;

use crate::{
    answer,
    fleet::{connection::SendError, route::Route},
    forward::relay::{PendingReply, Relay},
    headers,
};

/// How long a call of the gateway's own may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The channel of a tonic client to the instances of a provider.
#[derive(Debug, Clone)]
pub(crate) struct Channel(pub(crate) Arc<Route>);

impl Channel {
    /// A placeholder origin for the client; the instance is chosen per call.
    pub(crate) fn origin() -> Uri {
        Uri::from_static("http://instance")
    }

    async fn send(self, request: Request<Body>) -> Response<Body> {
        let deadline = Instant::now() + PATIENCE;
        let provider = &self.0.provider;
        let Ok(permit) = self.0.acquire(None, deadline).await else {
            return answer::unreachable(provider).response();
        };
        let (mut parts, body) = request.into_parts();
        parts.uri = headers::target(&permit.instance().origin, parts.uri.path());
        let sent = permit.send(Request::from_parts(parts, body)).await;
        match sent {
            Ok(response) => {
                let pending = PendingReply::new(Arc::clone(provider), Idempotency::Read, permit);
                match Relay::take(response, deadline, pending) {
                    Ok(response) => response.map(Body::new),
                    Err(answer) => answer.response(),
                }
            }
            Err(SendError::NotProcessed(why) | SendError::Unanswered(why)) => {
                answer::lost(provider, Idempotency::Read, why).response()
            }
        }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let sent = self.clone().send(request);
        Box::pin(async { Ok(sent.await) })
    }
}
