//! A body that a door makes only when somebody reads it: nothing is parsed for a caller that is not let in.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use chassis::Body;
use http::Extensions;
use http_body::Frame;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tonic::{Code, Status};

use crate::answer::{Answer, Outcome};

/// In the extensions of a request: its body can still turn out wrong, and must be read whole before anything goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unread;

/// A body of one piece in the making.
struct Made(Option<Making>);

type Making = Pin<Box<dyn Future<Output = Result<Bytes, Status>> + Send>>;

/// A body that is made by a future.
pub(crate) fn made(making: impl Future<Output = Result<Bytes, Status>> + Send + 'static) -> Body {
    Body::new(Made(Some(Box::pin(making))))
}

/// Reads the body of a request that a door has translated; every other stays as it is.
pub(crate) async fn read_whole(extensions: &Extensions, body: Body) -> Result<Body, Status> {
    if extensions.get::<Unread>().is_none() {
        return Ok(body);
    }
    let whole = body.collect().await.map_err(|error| unreadable(&error))?;
    Ok(Body::from(whole.to_bytes()))
}

/// Reads a body of a caller, which has a limit.
pub(crate) async fn read(body: Body, max: usize) -> Result<Bytes, Status> {
    let read = Limited::new(body, max).collect().await;
    let read = read.map_err(|error| unreadable(error.as_ref()))?;
    Ok(read.to_bytes())
}

/// What is said of a body beyond the limit.
pub(crate) fn too_large() -> Status {
    let text = "the request is larger than the gateway takes";
    Answer::new(Code::ResourceExhausted, "REQUEST_TOO_LARGE", text).outcome(Outcome::NotSent).status()
}

/// The status that ended a body, if one did.
fn unreadable(error: &(dyn Error + 'static)) -> Status {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(status) = error.downcast_ref::<Status>() {
            return status.clone();
        }
        if error.is::<LengthLimitError>() {
            return too_large();
        }
        cause = error.source();
    }
    broken()
}

fn broken() -> Status {
    let text = "the body of the request could not be read to its end";
    Answer::new(Code::InvalidArgument, "REQUEST_BROKEN", text).outcome(Outcome::NotSent).status()
}

impl http_body::Body for Made {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(making) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let made = ready!(making.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(Some(made.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
