//! Where a request comes in: as it is, or through the program's door.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use protocol::{Body, Outcome, answer};
use tokio::time::Instant;
use tonic::Code;

use super::{Request, Service, panic, reply::Reply};
use crate::{
    context::ServingContext,
    send_buffer::{Chunk, ReplyBuffer},
    transcoder::{Inner, Transcoder},
};

/// The layers with a door in front of them, if the program has one.
#[derive(Debug)]
pub(crate) struct Entrance<S> {
    layers: Arc<S>,
    transcoder: Option<(Arc<dyn Transcoder>, Inner)>,
    serving: ServingContext,
}

/// The body of an answer as it goes to the socket.
#[allow(clippy::large_enum_variant, reason = "the large one is the usual one")]
pub(crate) enum Outgoing {
    /// A gRPC reply.
    Reply(Reply),
    /// What a door made of one, counted anew.
    Translated(Body, Arc<ReplyBuffer>),
}

/// A gRPC reply as a door reads it.
struct Given(Reply);

impl<S: Service<Reply = Reply>> Entrance<S> {
    pub(crate) fn new(layers: S, transcoder: Option<Arc<dyn Transcoder>>, serving: &ServingContext) -> Self {
        let layers = Arc::new(layers);
        let transcoder = transcoder.map(|transcoder| (transcoder, inside(layers.clone())));
        Self { layers, transcoder, serving: serving.clone() }
    }

    async fn translated(&self, transcoder: &dyn Transcoder, inside: Inner, mut request: Request) -> Response<Outgoing> {
        let budget = self.serving.budget();
        let buffer =
            request.extensions_mut().remove::<Arc<ReplyBuffer>>().unwrap_or_else(|| ReplyBuffer::alone(budget));
        let answer = panic::caught(pin!(transcoder.answer(request, inside))).await;
        let answer = answer.unwrap_or_else(|| {
            self.serving.telemetry().instruments.panics.add(1, &[]);
            transcoder.failed(&answer::status(Code::Internal, "PANIC", "the service failed inside", Outcome::Unknown))
        });
        if answer.body().size_hint().exact().is_some() {
            // All of it is made: what remains is its peer's to take.
            buffer.set_complete(Instant::now());
        }
        answer.map(|body| Outgoing::Translated(body, buffer))
    }
}

impl<S: Service<Reply = Reply>> Service for Entrance<S> {
    type Reply = Outgoing;

    async fn call(&self, request: Request) -> Response<Outgoing> {
        match &self.transcoder {
            Some((transcoder, inside)) if transcoder.takes(&request) => {
                self.translated(transcoder.as_ref(), inside.clone(), request).await
            }
            _ => self.layers.call(request).await.map(Outgoing::Reply),
        }
    }
}

fn inside<S: Service<Reply = Reply>>(layers: Arc<S>) -> Inner {
    Inner::new(move |request| {
        let layers = layers.clone();
        Box::pin(async move { layers.call(request).await.map(|reply| Body::new(Given(reply))) })
    })
}

impl HttpBody for Outgoing {
    type Data = Chunk;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Chunk>, axum::Error>>> {
        match self.get_mut() {
            Self::Reply(reply) => Pin::new(reply).poll_frame(context),
            Self::Translated(body, buffer) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| Ok(frame?.map_data(|data| buffer.chunk(data)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Reply(reply) => reply.is_end_stream(),
            Self::Translated(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Reply(reply) => reply.size_hint(),
            Self::Translated(body, _) => body.size_hint(),
        }
    }
}

impl HttpBody for Given {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.0).poll_frame(context));
        Poll::Ready(frame.map(|frame| Ok(frame?.map_data(Chunk::held))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
