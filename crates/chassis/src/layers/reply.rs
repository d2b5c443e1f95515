//! The body of a reply on its way out: its size is bounded, its trailers are brought into form, its end is written down.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tonic::{Code, Status};

use super::{observe::Observation, status};
use crate::Body;

/// A reply that is watched until its end.
#[derive(Debug)]
pub(crate) struct Reply {
    inner: Body,
    left: u64,
    observation: Option<Observation>,
    /// Kept while the reply takes memory.
    _place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Reply {
    /// Watches a body; without an observation its end is already written down.
    pub(crate) fn new(
        inner: Body,
        limit: u64,
        observation: Option<Observation>,
        place: Option<Arc<OwnedSemaphorePermit>>,
    ) -> Self {
        Self { inner, left: limit, observation, _place: place }
    }

    fn data(&mut self, data: Bytes) -> Frame<Bytes> {
        match self.left.checked_sub(data.len() as u64) {
            Some(left) => {
                self.left = left;
                Frame::data(data)
            }
            None => self.end(self.too_large()),
        }
    }

    fn trailers(&mut self, mut trailers: HeaderMap) -> Frame<Bytes> {
        status::normalise(&mut trailers);
        if let Some(observation) = self.observation.take() {
            observation.finish(status::code(&trailers).unwrap_or(Code::Unknown));
        }
        Frame::trailers(trailers)
    }

    /// Ends the reply early with a status.
    fn end(&mut self, status: Status) -> Frame<Bytes> {
        self.inner = Body::empty();
        let mut trailers = HeaderMap::new();
        // A status of ours has no header that could be illegal.
        let _ = status.add_header(&mut trailers);
        self.trailers(trailers)
    }

    fn too_large(&self) -> Status {
        let message = "the reply is larger than this service sends";
        match &self.observation {
            Some(observation) => observation.unanswered(Code::ResourceExhausted, "REPLY_TOO_LARGE", message),
            None => Status::resource_exhausted(message),
        }
    }
}

impl HttpBody for Reply {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(Ok(match frame.into_data() {
                Ok(data) => self.data(data),
                Err(other) => match other.into_trailers() {
                    Ok(trailers) => self.trailers(trailers),
                    Err(other) => other,
                },
            })),
            // A reply that just stops would be success to nobody; say what it is.
            None if self.observation.is_some() => {
                Some(Ok(self.end(Status::internal("the reply ended without a status"))))
            }
            other => other,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.observation.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.observation {
            // Trailers may yet take the place of the data.
            Some(_) => SizeHint::default(),
            None => self.inner.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// Data, then trailers.
    struct Frames(Vec<Frame<Bytes>>);

    impl HttpBody for Frames {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.pop().map(Ok))
        }
    }

    #[tokio::test]
    async fn a_status_in_the_trailers_is_brought_into_form() {
        let mut trailers = HeaderMap::new();
        Status::cancelled("Timeout expired").add_header(&mut trailers).unwrap();
        let frames = Frames(vec![Frame::trailers(trailers), Frame::data(Bytes::from_static(b"data"))]);
        let mut reply = Reply::new(Body::new(frames), 4, None, None);
        let mut next = async || poll_fn(|context| Pin::new(&mut reply).poll_frame(context)).await;
        assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), "data");
        let trailers = next().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(status::code(&trailers), Some(Code::DeadlineExceeded));
        assert!(next().await.is_none());
    }
}
