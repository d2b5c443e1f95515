//! As many calls as the process can carry, and no queue.

use std::sync::Arc;

use http::Response;
use protocol::CallContext;
use protocol::{Body, Outcome, answer, refusal};
use tonic::{Code, Status};

use super::{Request, Service, exempt};
use crate::{
    context::ServingContext,
    drain::{Draining, InFlight},
    send_buffer::Budget,
};

/// Gives every call a place, or refuses it at once.
#[derive(Debug)]
pub(crate) struct Admission<S> {
    inner: S,
    in_flight: InFlight,
    budget: Arc<Budget>,
    draining: Draining,
    max_headers: usize,
}

/// What a header takes of a list besides its name and value (RFC 9113, 10.5.1).
const ENTRY: usize = 32;

impl<S> Admission<S> {
    pub(crate) fn new(inner: S, serving: &ServingContext) -> Self {
        let max_headers = serving.settings().max_header_bytes as usize;
        let (in_flight, budget) = (serving.in_flight().clone(), serving.budget().clone());
        Self { inner, in_flight, budget, draining: serving.draining(), max_headers }
    }

    /// HTTP/2 lets lists of twice the size through, so that callers of gRPC are told in their own words.
    fn has_too_many_headers(&self, request: &Request) -> bool {
        let sizes = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ENTRY);
        sizes.sum::<usize>() > self.max_headers
    }

    /// What keeps a call out, whatever it is.
    fn refusal(&self) -> Option<Status> {
        if self.draining.is_over() {
            let message = "the service stops and takes no more calls";
            return Some(answer::status(Code::Unavailable, "SHUTTING_DOWN", message, Outcome::NotSent));
        }
        let message = "the service holds as many unsent replies as it can";
        self.budget.is_full().then(|| answer::too_much("REPLY_MEMORY", message))
    }
}

impl<S: Service<Reply = Body>> Service for Admission<S> {
    type Reply = Body;

    async fn call(&self, mut request: Request) -> Response<Body> {
        if self.has_too_many_headers(&request) {
            return answer::reply(refusal::headers_too_large());
        }
        if exempt(request.uri().path()) {
            return self.inner.call(request).await;
        }
        if let Some(status) = self.refusal() {
            return answer::reply(status);
        }
        let Some(place) = self.in_flight.take() else {
            return answer::reply(answer::too_much(
                "TOO_MANY_CALLS",
                "the service is working on as many calls as it can",
            ));
        };
        CallContext::of_mut(request.extensions_mut()).permit = Some(place.clone());
        let mut response = self.inner.call(request).await;
        // The reply still takes memory until its last byte is gone: the place goes with it (layers/reply.rs drops it).
        response.extensions_mut().insert(place);
        response
    }
}
