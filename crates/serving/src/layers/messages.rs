//! Requests as handlers see them: whole where the method takes one message, and never compressed.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame};
use protocol::{Body, answer, methods::Methods, refusal};
use tonic::Status;

use super::{Request, Service};
use crate::{
    context::ServingContext,
    message::{self, Encoding, PACKED, Splitter, envelope},
    notes::CallNotes,
};

/// Reads and checks the messages of every method that the process itself serves; a proxy does so for the others.
#[derive(Debug)]
pub(crate) struct Messages<S> {
    inner: S,
    methods: Arc<Methods>,
    max: u64,
}

/// The messages of a stream, unpacked.
struct Unpacking {
    inner: Body,
    encoding: Encoding,
    splitter: Splitter,
    max: usize,
}

impl<S> Messages<S> {
    pub(crate) fn new(inner: S, serving: &ServingContext, methods: Arc<Methods>) -> Self {
        Self { inner, methods, max: serving.settings().max_request_bytes }
    }

    async fn prepared(&self, request: Request, streams: bool) -> Result<Request, Status> {
        let (mut parts, body) = request.into_parts();
        let encoding = Encoding::of(&parts.headers)?;
        let max = usize::try_from(self.max).unwrap_or(usize::MAX);
        let body = if streams {
            Body::new(Unpacking { inner: body, encoding, splitter: Splitter::new(max), max })
        } else {
            let notes = parts.extensions.get::<CallNotes>().cloned().unwrap_or_default();
            let framed = message::read(&notes, &parts.headers, body, self.max).await?;
            Body::from(if framed[0] == PACKED { plain(PACKED, &framed[message::HEAD..], max)? } else { framed })
        };
        parts.headers.remove(protocol::headers::GRPC_ENCODING);
        Ok(Request::from_parts(parts, body))
    }
}

impl<S: Service<Reply = Body>> Service for Messages<S> {
    type Reply = Body;

    async fn call(&self, request: Request) -> Response<Body> {
        // The generated servers do not look.
        if let Some(refused) = protocol::grpc::refusal(&request) {
            return refused;
        }
        let Some(method) = self.methods.get(request.uri().path()) else {
            return self.inner.call(request).await;
        };
        match self.prepared(request, method.is_client_streaming).await {
            Ok(request) => self.inner.call(request).await,
            Err(status) => answer::reply(status),
        }
    }
}

/// A message as it would have come uncompressed.
fn plain(flags: u8, message: &[u8], max: usize) -> Result<Bytes, Status> {
    match flags {
        PACKED => Ok(envelope(0, &message::unpack(message, max)?)),
        _ => Ok(envelope(flags, message)),
    }
}

impl HttpBody for Unpacking {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some((flags, message)) = self.splitter.message()? {
                self.encoding.check(flags)?;
                return Poll::Ready(Some(Ok(Frame::data(plain(flags, &message, self.max)?))));
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => self.splitter.push(&frame.into_data().unwrap_or_default()),
                Some(Err(error)) => return Poll::Ready(Some(Err(message::unreadable(&error)))),
                None if self.splitter.is_empty() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(refusal::broken_off()))),
            }
        }
    }
}
