//! A handler that panics costs one call, not the process.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::Poll,
};

use http::Response;
use opentelemetry::metrics::Counter;
use protocol::{Body, Outcome, answer};
use tonic::{Code, Status};

use super::{Request, Service};

/// Turns a panic into INTERNAL; one in the body of a reply is met by layers/reply.rs.
#[derive(Debug)]
pub(crate) struct Panic<S> {
    inner: S,
    panics: Counter<u64>,
}

impl<S> Panic<S> {
    pub(crate) fn new(inner: S, panics: Counter<u64>) -> Self {
        Self { inner, panics }
    }
}

impl<S: Service<Reply = Body>> Service for Panic<S> {
    type Reply = Body;

    async fn call(&self, request: Request) -> Response<Body> {
        let id = request.headers().get(protocol::headers::REQUEST_ID).cloned();
        let answered = pin!(self.inner.call(request));
        match caught(answered).await {
            Some(response) => response,
            None => {
                let id = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
                answer::reply(status(&self.panics, id))
            }
        }
    }
}

/// Counts a panic and says what a caller may know of it.
pub(crate) fn status(panics: &Counter<u64>, request_id: &str) -> Status {
    panics.add(1, &[]);
    let message = format!("the service failed inside; its operator finds more under request {request_id}");
    answer::status(Code::Internal, "PANIC", &message, Outcome::Unknown)
}

/// The output of a future, or nothing if it panicked. It is never polled again after that, so what it left half done is
/// seen by nobody. (A future that is an argument and pinned here would take its room twice.)
pub(crate) async fn caught<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
        Err(_) => Poll::Ready(None),
    })
    .await
}
