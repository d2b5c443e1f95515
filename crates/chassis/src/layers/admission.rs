//! As many calls as the process can carry, and no queue.

use http::Response;

use super::{Call, Request, answer, exempt};
use crate::{Body, drain::Places};

/// Gives every call a place, or refuses it at once.
#[derive(Debug)]
pub(crate) struct Admission<S> {
    inner: S,
    places: Places,
}

impl<S> Admission<S> {
    pub(crate) fn new(inner: S, places: Places) -> Self {
        Self { inner, places }
    }
}

impl<S: Call<Reply = Body>> Call for Admission<S> {
    type Reply = Body;

    async fn call(&self, mut request: Request) -> Response<Body> {
        if exempt(request.uri().path()) {
            return self.inner.call(request).await;
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
