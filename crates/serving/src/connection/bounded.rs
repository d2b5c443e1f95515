//! The body of a request: not larger than it may be, and over HTTP/1 read to its end even if nobody wants it.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{runtime::Handle, time::timeout};
use tonic::Status;

use crate::{message, notes::CallNotes, send_buffer::ReplyBuffer};

/// Most bytes that are read behind the limit.
const UNWANTED: u64 = 8 << 20;

/// A request's body that ends with RESOURCE_EXHAUSTED where it becomes too large.
pub(crate) struct Bounded {
    inner: Option<Incoming>,
    left: u64,
    /// How long an unread rest is taken off the connection: a peer that is answered while it still writes would see the
    /// connection break, and not the answer.
    linger: Option<Duration>,
    /// Where it is counted.
    notes: CallNotes,
    /// What is answered; over HTTP/1 it is not over before the request is.
    buffer: Option<Arc<ReplyBuffer>>,
}

impl Bounded {
    pub(crate) fn new(inner: Incoming, left: u64, notes: CallNotes) -> Self {
        Self { inner: Some(inner), left, linger: None, notes, buffer: None }
    }

    /// For a body over HTTP/1: it is part of this exchange, and so long its unread rest is taken off the connection.
    pub(crate) fn lingering(mut self, linger: Duration, buffer: &Arc<ReplyBuffer>) -> Self {
        (self.linger, self.buffer) = (Some(linger), Some(buffer.clone()));
        self
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(inner).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            end => {
                self.linger = None;
                return Poll::Ready(end.map(|frame| frame.map_err(|error| message::unreadable(&error))));
            }
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let left = self.left.checked_sub(length);
        left.is_some().then(|| self.notes.add_request_bytes(length));
        self.left = left.unwrap_or_default();
        Poll::Ready(Some(left.map(|_| frame).ok_or_else(message::too_large)))
    }

    /// Takes the rest and throws it away.
    async fn exhaust(mut self) {
        while let Some(Ok(_)) = poll_fn(|context| self.poll(context)).await {}
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.poll(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        let rest = self.inner.take().filter(|inner| !inner.is_end_stream());
        if let (Some(inner), Some(patience), Ok(runtime)) = (rest, self.linger.take(), Handle::try_current()) {
            let (notes, buffer) = (self.notes.clone(), self.buffer.take());
            let rest = Self { inner: Some(inner), left: UNWANTED, linger: None, notes, buffer };
            runtime.spawn(timeout(patience, rest.exhaust()));
        }
    }
}
