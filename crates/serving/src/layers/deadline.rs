//! The moment by which a reply must be on its way.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, Response};
use protocol::{Body, answer, methods::Methods, refusal};
use protocol::{CallContext, deadline};
use tokio::time::{Instant, sleep_until};

use super::{Request, Service, end::End, exempt};
use crate::{
    context::ServingContext,
    drain::Draining,
    notes::{self, CallNotes},
};

/// Tells handlers the deadline and answers for those that miss it, or that the
/// end of the process overtakes.
#[derive(Debug)]
pub(crate) struct Deadline<S> {
    inner: S,
    default: Duration,
    max: Duration,
    methods: Arc<Methods>,
    draining: Draining,
}

/// What `grpc-timeout` must be.
const TIMEOUT: &str =
    "must come once and be one to eight digits and a unit, H, M, S, m, u or n (a tenth of a second is 100m)";

/// A `grpc-timeout` that is none.
#[derive(Debug)]
struct Unreadable;

/// In the extensions of a response: when its body must be complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until(pub(crate) Instant);

impl<S> Deadline<S> {
    pub(crate) fn new(inner: S, serving: &ServingContext, methods: Arc<Methods>) -> Self {
        let settings = &serving.settings();
        let (default, max) = (settings.default_deadline_seconds.0, settings.max_deadline_seconds.0);
        Self { inner, default, max, methods, draining: serving.draining() }
    }

    fn end(&self, end: End, path: &str, notes: Option<&CallNotes>) -> Response<Body> {
        answer::reply(match notes.is_some_and(CallNotes::awaits_request) {
            true => end.of_request(),
            false => end.status(notes::writes(&self.methods, path, notes)),
        })
    }
}

impl<S: Service<Reply = Body>> Service for Deadline<S> {
    type Reply = Body;

    async fn call(&self, mut request: Request) -> Response<Body> {
        let Ok(asked) = asked(request.headers()) else {
            return answer::reply(refusal::header(protocol::headers::GRPC_TIMEOUT.as_str(), TIMEOUT));
        };
        let deadline = Instant::now() + asked.unwrap_or(self.default).min(self.max);
        CallContext::of_mut(request.extensions_mut()).deadline = deadline;
        let path = request.uri().path().to_owned();
        let notes = request.extensions().get::<CallNotes>().cloned();
        let answered = pin!(self.inner.call(request));
        match until(deadline, self.draining.clone(), answered).await {
            Ok(mut response) => {
                // Who watches the health of a service does so without end, unless it asks for one.
                if asked.is_some() || !exempt(&path) {
                    response.extensions_mut().insert(Until(deadline));
                }
                response
            }
            Err(end) => self.end(end, &path, notes.as_ref()),
        }
    }
}

/// What a caller asks for. One that cannot be read is refused: whoever sets a deadline must not wait for another.
fn asked(headers: &HeaderMap) -> Result<Option<Duration>, Unreadable> {
    let mut values = headers.get_all(protocol::headers::GRPC_TIMEOUT).into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    let asked = value.to_str().ok().and_then(deadline::parse).filter(|_| values.next().is_none());
    asked.map(Some).ok_or(Unreadable)
}

/// Polls the future first: an answer that is ready at the deadline still counts.
async fn until<F: Future>(
    deadline: Instant,
    mut draining: Draining,
    mut future: Pin<&mut F>,
) -> Result<F::Output, End> {
    tokio::select! {
        biased;
        output = future.as_mut() => Ok(output),
        () = sleep_until(deadline) => Err(End::Late),
        () = draining.over() => Err(End::Over),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::Switch;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_ready_at_the_deadline_counts() {
        let switch = Switch::new();
        let deadline = Instant::now() + Duration::from_secs(1);
        let ready = async {
            sleep_until(deadline).await;
            7
        };
        assert_eq!(until(deadline, switch.handle(), pin!(ready)).await, Ok(7));
        assert_eq!(until(deadline, switch.handle(), pin!(std::future::pending::<()>())).await, Err(End::Late));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_does_not_end_a_call_and_its_limit_does() {
        let switch = Switch::new();
        let deadline = Instant::now() + Duration::from_secs(3);
        switch.drain();
        let slow = tokio::time::sleep(Duration::from_secs(1));
        assert_eq!(until(deadline, switch.handle(), pin!(slow)).await, Ok(()));
        switch.cut();
        assert_eq!(until(deadline, switch.handle(), pin!(std::future::pending::<()>())).await, Err(End::Over));
    }
}
