//! One call on an HTTP/2 connection: its request on the way out, its reply on the way in.
//!
//! It uses h2 and not hyper's client, which has a queue and two tasks for every call and writes its head before its
//! body: here a small request is one packet, and no task but the caller's has to run.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client::SendRequest};
use http::{Request, Response};
use http_body::{Body, Frame};
use tokio::task::JoinSet;

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum ExchangeError {
    /// The connection takes no more calls; nothing was written.
    Closed,
    /// Something may have been written.
    Broken(h2::Error),
}

/// The body of a reply. Dropping it stops the upload of the request too.
#[derive(Debug)]
pub(crate) struct Received {
    stream: RecvStream,
    _upload: Option<JoinSet<()>>,
}

/// A request's body on its way out.
struct Upload<B> {
    body: B,
    stream: SendStream<Bytes>,
    /// The first part goes with the head, and is the only one of most calls; more of them wait for the peer's window.
    is_first: bool,
}

/// Sends a request and waits for the head of its reply; the rest of the request body is sent in the background.
pub(super) async fn exchange<B>(
    mut sender: SendRequest<Bytes>,
    request: Request<B>,
) -> Result<Response<Received>, ExchangeError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    poll_fn(|cx| sender.poll_ready(cx)).await.map_err(|_| ExchangeError::Closed)?;
    let (head, body) = request.into_parts();
    let is_whole = body.is_end_stream();
    let (reply, stream) =
        sender.send_request(Request::from_parts(head, ()), is_whole).map_err(|_| ExchangeError::Closed)?;
    let upload = match is_whole {
        true => None,
        false => begin(Upload { body, stream, is_first: true }).await,
    };
    let reply = reply.await.map_err(ExchangeError::Broken)?;
    Ok(reply.map(|stream| Received { stream, _upload: upload }))
}

/// Sends what is available; the rest, if any, in a task of its own.
async fn begin<B>(mut upload: Upload<B>) -> Option<JoinSet<()>>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let sent = poll_fn(|cx| Poll::Ready(Pin::new(&mut upload).poll(cx))).await;
    sent.is_pending().then(|| JoinSet::from_iter([upload]))
}

impl<B: Body<Data = Bytes> + Unpin> Upload<B> {
    /// Whether the peer has room for another part; an error if it wants none.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        if self.stream.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(()));
        }
        if self.is_first {
            return Poll::Ready(Ok(()));
        }
        self.stream.reserve_capacity(1);
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(())),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Passes a part on and returns whether it was the last. The reply reports failures.
    fn pass(&mut self, part: Option<Result<Frame<Bytes>, B::Error>>) -> bool {
        let frame = match part {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => {
                self.stream.send_reset(Reason::CANCEL);
                return true;
            }
            None => {
                let _ = self.stream.send_data(Bytes::new(), true);
                return true;
            }
        };
        // A request of gRPC has no trailers.
        let Ok(data) = frame.into_data() else { return false };
        let is_last = self.body.is_end_stream();
        self.stream.send_data(data, is_last).is_err() || is_last
    }
}

impl<B: Body<Data = Bytes> + Unpin> Future for Upload<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            if ready!(this.poll_room(cx)).is_err() {
                return Poll::Ready(());
            }
            let part = ready!(Pin::new(&mut this.body).poll_frame(cx));
            this.is_first = false;
            if this.pass(part) {
                return Poll::Ready(());
            }
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let data = match ready!(self.stream.poll_data(cx)) {
            Some(data) => data?,
            None => {
                let trailers = ready!(self.stream.poll_trailers(cx));
                return Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)));
            }
        };
        // More than was received is not given back.
        let _ = self.stream.flow_control().release_capacity(data.len());
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
