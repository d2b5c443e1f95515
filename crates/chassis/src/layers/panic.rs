//! A handler that panics costs one call, not the process.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use http::Response;
use opentelemetry::metrics::Counter;
use tonic::{Code, Status};

use super::{Call, Request, answer, request_id};
use crate::Body;

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

impl<S: Call<Reply = Body>> Call for Panic<S> {
    type Reply = Body;

    async fn call(&self, request: Request) -> Response<Body> {
        let id = request_id::of(request.headers()).to_owned();
        match caught(self.inner.call(request)).await {
            Some(response) => response,
            None => answer::reply(status(&self.panics, &id)),
        }
    }
}

/// Counts a panic and says what a caller may know of it.
pub(crate) fn status(panics: &Counter<u64>, request_id: &str) -> Status {
    panics.add(1, &[]);
    let message = format!("the service failed inside; its operator finds more under request {request_id}");
    answer::status(Code::Internal, "PANIC", &message, Some(answer::Outcome::Unknown))
}

/// The output of a future, or nothing if it panicked. It is never polled again after that, so what it left half done is
/// seen by nobody.
pub(crate) async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
        Err(_) => Poll::Ready(None),
    })
    .await
}
