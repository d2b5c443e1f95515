//! As many calls as the process can carry, and no queue.

use std::sync::Arc;

use http::Response;
use tonic::{Code, Status};

use super::{Call, Request, answer, exempt};
use crate::{Body, Draining, Process, drain::Places, outflow::Memory};

/// Gives every call a place, or refuses it at once.
#[derive(Debug)]
pub(crate) struct Admission<S> {
    inner: S,
    places: Places,
    memory: Arc<Memory>,
    draining: Draining,
}

impl<S> Admission<S> {
    pub(crate) fn new(inner: S, process: &Process) -> Self {
        Self { inner, places: process.places().clone(), memory: process.memory().clone(), draining: process.draining() }
    }

    /// What keeps a call out, whatever it is.
    fn refusal(&self) -> Option<Status> {
        if self.draining.is_over() {
            let message = "the service stops and takes no more calls";
            return Some(answer::status(Code::Unavailable, "SHUTTING_DOWN", message, answer::Outcome::NotSent));
        }
        let message = "the service holds as many unsent replies as it can";
        self.memory.is_full().then(|| answer::too_much("REPLY_MEMORY", message))
    }
}

impl<S: Call<Reply = Body>> Call for Admission<S> {
    type Reply = Body;

    async fn call(&self, mut request: Request) -> Response<Body> {
        if exempt(request.uri().path()) {
            return self.inner.call(request).await;
        }
        if let Some(status) = self.refusal() {
            return answer::reply(status);
        }
        let Some(place) = self.places.take() else {
            return answer::reply(answer::too_much(
                "TOO_MANY_CALLS",
                "the service is working on as many calls as it can",
            ));
        };
        request.extensions_mut().insert(place.clone());
        let mut response = self.inner.call(request).await;
        // The reply still takes memory until its last byte is gone: the place goes with it (layers/reply.rs drops it).
        response.extensions_mut().insert(place);
        response
    }
}
