//! The body of a reply on its way out: its size, its time and its memory are bounded, its trailers are brought into form,
//! its end is written down.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use protocol::call::DrainPermit;
use protocol::{Body, Outcome, answer};
use tokio::time::{Instant, sleep_until};
use tonic::{Code, Status};

use super::{end::End, observation::Observation, status};
use crate::{
    drain::Draining,
    send_buffer::{Chunk, ReplyBuffer},
};

type Polled = Poll<Option<Result<Frame<Chunk>, axum::Error>>>;

/// A reply that is watched until its end.
pub(crate) struct Reply {
    inner: Body,
    bounds: Bounds,
    /// Alarm of the bounds; there is none before the body has to be waited for.
    alarm: Option<Pin<Box<dyn Future<Output = End> + Send>>>,
    /// Polled before anybody asked for it.
    first: Option<Result<Frame<Chunk>, axum::Error>>,
    /// The end, while what comes before it is not sent.
    trailers: Option<HeaderMap>,
    observation: Option<Observation>,
    /// Captured while the reply takes budget.
    _place: Option<DrainPermit>,
}

/// What a reply must keep to.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// Bytes that it may still have.
    pub(crate) left: u64,
    /// The setting that says how many.
    pub(crate) limit: &'static str,
    /// When it must be complete.
    pub(crate) deadline: Option<Instant>,
    /// When the process ends.
    pub(crate) draining: Draining,
    /// Where its bytes are counted.
    pub(crate) buffer: Arc<ReplyBuffer>,
    /// What an error means that names no outcome.
    pub(crate) unsaid: Outcome,
}

impl Reply {
    /// Observers a body; without an observation its end is already written down.
    pub(crate) fn new(
        inner: Body,
        bounds: Bounds,
        observation: Option<Observation>,
        place: Option<DrainPermit>,
    ) -> Self {
        bounds.deadline.into_iter().for_each(|deadline| bounds.buffer.set_complete(deadline));
        Self { inner, bounds, alarm: None, first: None, trailers: None, observation, _place: place }
    }

    /// Takes the first part, if it is ready: what a handler has made takes memory, whether or not its peer has a window for
    /// it, and is counted by this.
    pub(crate) async fn read_ahead(&mut self) {
        if self.observation.is_none() {
            return;
        }
        self.first = poll_fn(|context| {
            Poll::Ready(match Pin::new(&mut *self).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => None,
            })
        })
        .await;
    }

    fn poll_inner(&mut self, context: &mut Context<'_>) -> Polled {
        let inner = &mut self.inner;
        let Ok(polled) = catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(context))) else {
            return self.end(context, Self::panicked);
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) => self.frame(context, frame),
            // A reply that just stops would be success to nobody; say what it is.
            Poll::Ready(None) if self.observation.is_some() => self.end(context, |reply| reply.cut_off()),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            Poll::Pending => {
                let end = ready!(self.poll_alarm(context));
                self.end(context, |reply| reply.ended(end))
            }
        }
    }

    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<End> {
        let Bounds { deadline, draining, .. } = &self.bounds;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(alarm(*deadline, draining.clone())));
        alarm.as_mut().poll(context)
    }

    fn frame(&mut self, context: &mut Context<'_>, frame: Frame<Bytes>) -> Polled {
        match frame.into_data() {
            Ok(data) => self.data(context, data),
            Err(other) => match other.into_trailers() {
                Ok(trailers) => self.close(context, trailers),
                // There is no third kind, and hyper would throw it away.
                Err(_) => self.poll_inner(context),
            },
        }
    }

    fn data(&mut self, context: &mut Context<'_>, data: Bytes) -> Polled {
        // A body that never lets itself be waited for must end as well.
        if self.bounds.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return self.end(context, |reply| reply.ended(End::Late));
        }
        let Some(left) = self.bounds.left.checked_sub(data.len() as u64) else {
            return self.end(context, |reply| answer::too_large(reply.writes(), reply.bounds.limit));
        };
        if !self.writes() && !self.bounds.buffer.has_room_for(data.len()) {
            return self.end(context, |reply| {
                reply.unanswered("REPLY_MEMORY", "the service holds as many unsent replies as it can")
            });
        }
        self.bounds.left = left;
        if let Some(observation) = &mut self.observation {
            observation.replied(&data);
        }
        Poll::Ready(Some(Ok(Frame::data(self.bounds.buffer.chunk(data)))))
    }

    /// Ends the reply early with a status.
    fn end(&mut self, context: &mut Context<'_>, status: impl FnOnce(&Self) -> Status) -> Polled {
        let status = status(self);
        self.inner = Body::empty();
        let mut trailers = HeaderMap::new();
        // A status of ours has no header that could be illegal.
        let _ = status.add_header(&mut trailers);
        self.close(context, trailers)
    }

    fn close(&mut self, context: &mut Context<'_>, mut trailers: HeaderMap) -> Polled {
        status::normalise(&mut trailers, self.bounds.unsaid);
        self.trailers = Some(trailers);
        self.poll_close(context)
    }

    fn poll_close(&mut self, context: &Context<'_>) -> Polled {
        ready!(self.bounds.buffer.poll_sent(context));
        let mut trailers = self.trailers.take().unwrap_or_default();
        if let Some(observation) = self.observation.take() {
            observation.finish(protocol::told::code(&trailers).unwrap_or(Code::Unknown), &mut trailers);
        }
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn writes(&self) -> bool {
        self.observation.as_ref().is_some_and(Observation::writes)
    }

    fn ended(&self, end: End) -> Status {
        end.status(self.writes())
    }

    fn cut_off(&self) -> Status {
        let message = "the reply ended without a status";
        answer::unanswered(self.writes(), Code::Internal, "REPLY_CUT_OFF", message)
    }

    fn unanswered(&self, reason: &str, message: &str) -> Status {
        answer::unanswered(self.writes(), Code::ResourceExhausted, reason, message)
    }

    fn panicked(&self) -> Status {
        match &self.observation {
            Some(observation) => observation.panicked(),
            None => Status::internal("the service failed inside"),
        }
    }
}

impl HttpBody for Reply {
    type Data = Chunk;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        if self.trailers.is_some() {
            return self.poll_close(context);
        }
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.poll_inner(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.trailers.is_none() && self.observation.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.observation {
            // Trailers may yet take the place of the data.
            Some(_) => SizeHint::default(),
            None => self.inner.size_hint(),
        }
    }
}

async fn alarm(deadline: Option<Instant>, mut draining: Draining) -> End {
    let late = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = late => End::Late,
        () = draining.over() => End::Over,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;
    use crate::{drain::Switch, send_buffer::Budget};

    /// Data, then trailers.
    struct Frames(Vec<Frame<Bytes>>);

    impl HttpBody for Frames {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.pop().map(Ok))
        }
    }

    /// Never anything.
    struct Silence;

    impl HttpBody for Silence {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Pending
        }
    }

    fn bounds(left: u64, budget: usize, switch: &Switch) -> Bounds {
        let buffer = ReplyBuffer::alone(&Arc::new(Budget::new(budget)));
        let limit = "server.max_reply_bytes";
        Bounds { left, limit, deadline: None, draining: switch.handle(), buffer, unsaid: Outcome::Unknown }
    }

    async fn next(reply: &mut Reply) -> Option<Frame<Chunk>> {
        poll_fn(|context| Pin::new(&mut *reply).poll_frame(context)).await.map(Result::unwrap)
    }

    fn code(frame: Option<Frame<Chunk>>) -> Option<Code> {
        protocol::told::code(&frame.unwrap().into_trailers().ok()?)
    }

    #[tokio::test]
    async fn a_status_in_the_trailers_is_brought_into_form() {
        let mut trailers = HeaderMap::new();
        Status::cancelled("Timeout expired").add_header(&mut trailers).unwrap();
        let frames = Frames(vec![Frame::trailers(trailers), Frame::data(Bytes::from_static(b"data"))]);
        let mut reply = Reply::new(Body::new(frames), bounds(4, 100, &Switch::new()), None, None);
        assert_eq!(next(&mut reply).await.unwrap().into_data().unwrap().chunk(), b"data");
        assert_eq!(code(next(&mut reply).await), Some(Code::DeadlineExceeded));
        assert!(next(&mut reply).await.is_none());
    }

    #[tokio::test]
    async fn what_does_not_fit_into_memory_is_not_sent() {
        let frames = Frames(vec![Frame::data(Bytes::from_static(b"too much"))]);
        let mut reply = Reply::new(Body::new(frames), bounds(100, 7, &Switch::new()), None, None);
        assert_eq!(code(next(&mut reply).await), Some(Code::ResourceExhausted));
        assert!(next(&mut reply).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_ends_at_its_deadline_and_at_the_end_of_the_process() {
        let switch = Switch::new();
        let mut late = Reply::new(Body::new(Silence), bounds(100, 100, &switch), None, None);
        late.bounds.deadline = Some(Instant::now() + std::time::Duration::from_secs(9));
        assert_eq!(code(next(&mut late).await), Some(Code::DeadlineExceeded));
        let mut over = Reply::new(Body::new(Silence), bounds(100, 100, &switch), None, None);
        let (frame, ()) = tokio::join!(next(&mut over), async { switch.cut() });
        assert_eq!(code(frame), Some(Code::Unavailable));
    }
}
