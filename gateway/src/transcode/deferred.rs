//! A body that is transcoded only when it is read: nothing is parsed for a caller that is refused.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Extensions;
use http_body::Frame;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use protocol::Body;
use serving::message;
use tonic::Status;

/// Marks a request, in its extensions, whose body may still turn out invalid and must be read before anything is forwarded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deferred;

/// A body in one piece that a future produces.
struct DeferredBody(Option<Making>);

type Making = Pin<Box<dyn Future<Output = Result<Bytes, Status>> + Send>>;

/// A body that a future produces.
pub(crate) fn deferred(making: impl Future<Output = Result<Bytes, Status>> + Send + 'static) -> Body {
    Body::new(DeferredBody(Some(Box::pin(making))))
}

/// Whether the body of a request is transcoded when it is read.
pub(crate) fn is_deferred(extensions: &Extensions) -> bool {
    extensions.get::<Deferred>().is_some()
}

/// Reads a body of a caller, which has a limit.
pub(crate) async fn read(body: Body, max: usize) -> Result<Bytes, Status> {
    let read = Limited::new(body, max).collect().await;
    let read = read.map_err(|error| match error.is::<LengthLimitError>() {
        true => message::too_large(),
        false => message::unreadable(error.as_ref()),
    })?;
    Ok(read.to_bytes())
}

impl http_body::Body for DeferredBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(making) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let deferred = ready!(making.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(Some(deferred.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
