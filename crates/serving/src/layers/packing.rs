//! Replies packed by gzip for callers that say they take it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame};
use protocol::{
    Body,
    headers::{GRPC_ACCEPT_ENCODING, GRPC_ENCODING, GRPC_STATUS},
};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Request, Service};
use crate::{
    context::ServingContext,
    message::{self, GZIP, HEAD, Splitter, WORTH, envelope},
};

/// What is more is packed where no other call has to wait for it.
const LONG: usize = 64 << 10;

/// Packs the messages of replies, unless somebody behind has done so.
#[derive(Debug)]
pub(crate) struct Packing<S> {
    inner: S,
    max: usize,
}

/// The body of a reply whose messages are packed.
struct Packed {
    inner: Body,
    splitter: Splitter,
    /// A long message at work.
    long: Option<JoinHandle<Bytes>>,
    /// What is larger stays as it is, so that the limit of replies counts what they are unpacked.
    max: usize,
}

impl<S> Packing<S> {
    pub(crate) fn new(inner: S, serving: &ServingContext) -> Self {
        let max = serving.settings().max_reply_bytes;
        Self { inner, max: usize::try_from(max).unwrap_or(usize::MAX) }
    }
}

impl<S: Service<Reply = Body>> Service for Packing<S> {
    type Reply = Body;

    async fn call(&self, request: Request) -> Response<Body> {
        let is_wanted = message::wants_gzip(request.headers(), &GRPC_ACCEPT_ENCODING);
        let mut response = self.inner.call(request).await;
        if !is_wanted || !is_plain(response.headers()) {
            return response;
        }
        response.headers_mut().insert(GRPC_ENCODING, GZIP);
        let splitter = Splitter::new(usize::MAX);
        response.map(|inner| Body::new(Packed { inner, splitter, long: None, max: self.max }))
    }
}

/// Whether a reply has messages, and nobody has packed them.
fn is_plain(headers: &HeaderMap) -> bool {
    let encoding = headers.get(GRPC_ENCODING);
    encoding.is_none_or(|encoding| encoding == "identity") && !headers.contains_key(GRPC_STATUS)
}

impl Packed {
    /// Packs a message, at once if it is short.
    fn pack(&mut self, flags: u8, message: Bytes) -> Option<Bytes> {
        match message.len() {
            _ if flags != 0 || message.len() > self.max => Some(envelope(flags, &message)),
            ..LONG => Some(message::in_envelope(&message)),
            _ => {
                self.long = Some(spawn_blocking(move || message::in_envelope(&message)));
                None
            }
        }
    }

    /// A part of the reply that is one short message, as most replies are, is sent as it came.
    fn is_short(&self, data: &[u8]) -> bool {
        let length = data.first_chunk::<HEAD>().map(|[_, length @ ..]| u32::from_be_bytes(*length) as usize);
        self.splitter.is_empty() && data.len() < WORTH && length.is_some_and(|length| data.len() == HEAD + length)
    }
}

impl HttpBody for Packed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            if let Some(long) = &mut self.long {
                let done = ready!(Pin::new(long).poll(context)).map_err(axum::Error::new);
                self.long = None;
                return Poll::Ready(Some(done.map(Frame::data)));
            }
            if let Some((flags, message)) = self.splitter.message().map_err(axum::Error::new)? {
                let Some(done) = self.pack(flags, message) else { continue };
                return Poll::Ready(Some(Ok(Frame::data(done))));
            }
            let frame = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.into_data() {
                Ok(data) if self.is_short(&data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(data) => self.splitter.push(&data),
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
    }
}
