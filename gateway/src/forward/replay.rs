//! A request body that is streamed and, while it is small, can be sent again.

use std::{
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use serving::message;
use tonic::Status;

/// Maximum size that is buffered for a retry; practically every unary request is smaller.
const KEPT: usize = 64 << 10;

/// The body of a call, of which each attempt gets its own copy.
#[derive(Debug)]
pub(crate) struct Replay<B>(Arc<Mutex<ReplayBuffer<B>>>);

#[derive(Debug)]
struct ReplayBuffer<B> {
    inner: B,
    kept: Vec<Bytes>,
    size: usize,
    /// Whether a part was not buffered.
    is_torn: bool,
    has_ended: bool,
    /// What was wrong with it.
    failure: Option<Status>,
    attempts: usize,
}

/// The body of one attempt.
#[derive(Debug)]
pub(crate) struct AttemptBody<B> {
    buffer: Arc<Mutex<ReplayBuffer<B>>>,
    number: usize,
    position: usize,
}

/// The frames of a whole body.
#[derive(Debug)]
pub(crate) struct BodyCopy(VecDeque<Bytes>);

impl<B> Replay<B> {
    /// Wraps the caller's body.
    pub(crate) fn new(inner: B) -> Self {
        let buffer = ReplayBuffer {
            inner,
            kept: Vec::new(),
            size: 0,
            is_torn: false,
            has_ended: false,
            failure: None,
            attempts: 0,
        };
        Self(Arc::new(Mutex::new(buffer)))
    }

    /// The body for the next attempt, if it is still complete; the previous attempt can no longer read it.
    pub(crate) fn attempt(&self) -> Option<AttemptBody<B>> {
        let mut buffer = lock(&self.0);
        if buffer.is_torn {
            return None;
        }
        buffer.attempts += 1;
        let number = buffer.attempts;
        Some(AttemptBody { buffer: Arc::clone(&self.0), number, position: 0 })
    }
}

impl<B> Replay<B> {
    /// The error of the body itself, if one ended it.
    pub(crate) fn failure(&self) -> Option<Status> {
        lock(&self.0).failure.clone()
    }
}

impl<B: Body> Replay<B> {
    /// A copy of the body for a concurrent attempt, if it is complete and small.
    pub(crate) fn copy(&self) -> Option<BodyCopy> {
        let buffer = lock(&self.0);
        let has_ended = buffer.has_ended || buffer.inner.is_end_stream();
        (has_ended && !buffer.is_torn).then(|| BodyCopy(buffer.kept.clone().into()))
    }
}

impl<B: Body<Data = Bytes, Error: Error + 'static> + Unpin> ReplayBuffer<B> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            None => self.has_ended = true,
            Some(Ok(frame)) => self.keep(frame.data_ref()),
            Some(Err(error)) => {
                self.is_torn = true;
                self.failure = Some(message::unreadable(error));
            }
        }
        Poll::Ready(frame)
    }

    fn keep(&mut self, data: Option<&Bytes>) {
        let size = self.size + data.map_or(KEPT + 1, Bytes::len);
        if let Some(data) = data
            && size <= KEPT
            && !self.is_torn
        {
            self.kept.push(data.clone());
            self.size = size;
        } else {
            self.is_torn = true;
            self.kept.clear();
        }
    }
}

impl<B> Body for AttemptBody<B>
where
    B: Body<Data = Bytes, Error: Error + Send + Sync + 'static> + Unpin,
{
    type Data = Bytes;
    type Error = tonic::codegen::StdError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let mut buffer = lock(&this.buffer);
        if buffer.attempts != this.number {
            let superseded = Status::cancelled("the call is being sent again");
            return Poll::Ready(Some(Err(superseded.into())));
        }
        if !buffer.is_torn
            && let Some(data) = buffer.kept.get(this.position)
        {
            this.position += 1;
            return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
        }
        if buffer.has_ended {
            return Poll::Ready(None);
        }
        let polled = buffer.poll(cx).map_err(Into::into);
        this.position = buffer.kept.len();
        polled
    }

    fn is_end_stream(&self) -> bool {
        let buffer = lock(&self.buffer);
        let has_sent_kept = buffer.is_torn || self.position >= buffer.kept.len();
        has_sent_kept && (buffer.has_ended || buffer.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Body for BodyCopy {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

fn lock<B>(buffer: &Mutex<ReplayBuffer<B>>) -> MutexGuard<'_, ReplayBuffer<B>> {
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[derive(Debug)]
    struct Chunks(VecDeque<Bytes>);

    impl Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
        }
    }

    fn body(chunks: &[&[u8]]) -> Replay<Chunks> {
        Replay::new(Chunks(chunks.iter().map(|chunk| Bytes::copy_from_slice(chunk)).collect()))
    }

    async fn read(attempt: AttemptBody<Chunks>) -> Bytes {
        attempt.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_small_body_is_the_same_each_time() {
        let replay = body(&[b"one", b"two"]);
        for _ in 0..3 {
            assert_eq!(read(replay.attempt().unwrap()).await, "onetwo");
        }
    }

    #[tokio::test]
    async fn a_second_attempt_goes_on_where_the_first_was_cut() {
        let replay = body(&[b"one", b"two", b"three"]);
        let mut first = replay.attempt().unwrap();
        let frame = first.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        let second = replay.attempt().unwrap();
        assert!(first.frame().await.unwrap().is_err());
        assert_eq!(read(second).await, "onetwothree");
    }

    #[tokio::test]
    async fn a_copy_is_whole_and_leaves_the_attempt_alone() {
        let replay = body(&[b"one", b"two"]);
        let mut first = replay.attempt().unwrap();
        assert_eq!(first.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        assert!(replay.copy().is_none(), "the end has not come yet");
        assert_eq!(read(first).await, "two");
        assert_eq!(replay.copy().unwrap().collect().await.unwrap().to_bytes(), "onetwo");
    }

    #[tokio::test]
    async fn a_large_body_passes_whole_but_once() {
        let large = vec![7; KEPT];
        let replay = body(&[&large, b"more", b"end"]);
        assert_eq!(read(replay.attempt().unwrap()).await.len(), KEPT + 7);
        assert!(replay.attempt().is_none());
    }
}
