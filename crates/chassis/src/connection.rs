//! One connection from its first byte to its last.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tonic::{Code, Status};

use crate::{
    Body, Draining, ServerSettings,
    layers::{
        self, Call,
        answer::{self, Outcome},
        reply::Reply,
    },
};

/// Length of the client's half of the HTTP/2 connection preface (RFC 9113, 3.4).
const PREFACE: usize = 24;

/// What is the same for every connection of a listener.
#[derive(Debug)]
pub(crate) struct Connections<S> {
    http2: http2::Builder<TokioExecutor>,
    stack: Arc<S>,
    preface: Duration,
    age: Duration,
    max_request_bytes: u64,
}

/// Counts the first bytes that come in.
struct Counted {
    stream: TcpStream,
    read: Arc<AtomicUsize>,
}

/// A request's body that ends with RESOURCE_EXHAUSTED where it becomes too large.
struct Bounded {
    inner: Incoming,
    left: u64,
}

impl<S: Call<Reply = Reply>> Connections<S> {
    pub(crate) fn new(stack: S, settings: &ServerSettings) -> Self {
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(settings.max_streams_per_connection)
            .initial_stream_window_size(settings.stream_window_bytes)
            .initial_connection_window_size(settings.connection_window_bytes)
            .max_header_list_size(settings.max_header_bytes)
            .keep_alive_interval(settings.keep_alive_seconds.0)
            .keep_alive_timeout(settings.keep_alive_timeout_seconds.0)
            .auto_date_header(false);
        Self {
            http2,
            stack: Arc::new(stack),
            preface: settings.preface_seconds.0,
            age: settings.max_connection_age_seconds.0,
            max_request_bytes: settings.max_request_bytes,
        }
    }

    /// Serves a connection until its peer leaves, it is too old, or the process drains and its last call is answered.
    pub(crate) async fn serve(&self, stream: TcpStream, age_factor: f64, mut draining: Draining) {
        // A small reply waits for nothing; if the option cannot be set it comes a little later.
        let _ = stream.set_nodelay(true);
        let read = Arc::new(AtomicUsize::new(0));
        let io = TokioIo::new(Counted { stream, read: read.clone() });
        let mut connection = pin!(self.http2.serve_connection(io, service_fn(|request| self.answer(request))));
        let begun = Instant::now();
        let (mut spoken, mut leaving) = (false, false);
        loop {
            tokio::select! {
                // What ends a connection is the peer's affair: it is neither our fault nor worth a line.
                _ = connection.as_mut() => return,
                () = sleep_until(begun + self.preface), if !spoken => {
                    if read.load(Ordering::Relaxed) < PREFACE {
                        return;
                    }
                    spoken = true;
                }
                () = draining.wait(), if !leaving => {
                    connection.as_mut().graceful_shutdown();
                    leaving = true;
                }
                () = sleep_until(begun + self.age.mul_f64(age_factor)), if !leaving => {
                    connection.as_mut().graceful_shutdown();
                    leaving = true;
                }
            }
        }
    }

    fn answer(
        &self,
        request: http::Request<Incoming>,
    ) -> impl Future<Output = Result<http::Response<Reply>, Infallible>> + use<S> {
        let stack = self.stack.clone();
        let left = if layers::exempt(request.uri().path()) { u64::MAX } else { self.max_request_bytes };
        async move { Ok(stack.call(request.map(|inner| Body::new(Bounded { inner, left }))).await) }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let count = buffer.filled().len() - before;
        if self.read.load(Ordering::Relaxed) < PREFACE {
            self.read.fetch_add(count, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(|error| Status::from_error(error.into()))?;
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.left = self.left.checked_sub(length).ok_or_else(too_large)?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn too_large() -> Status {
    let message = "the request is larger than this service takes";
    answer::status(Code::ResourceExhausted, "REQUEST_TOO_LARGE", message, Some(Outcome::NotSent))
}
