//! The socket of one connection: watches what comes in, and gives up a peer that reads nothing.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{flood::Flood, frames::Frames, heads::Heads, stream::Stream, streams::Streams};
use crate::context::ServingContext;

/// GOAWAY with ENHANCE_YOUR_CALM (RFC 9113, 6.8); the highest number of a stream, because any call may have been begun.
const CALM: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 11];

/// A socket as hyper gets it.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    heads: Arc<Heads>,
    streams: Streams,
    flood: Flood,
    /// What was written, to know where a frame may stand.
    written: Frames,
    patience: Duration,
    /// Alarm of a write that has to wait.
    alarm: Option<Pin<Box<Sleep>>>,
    serving: ServingContext,
}

impl Socket {
    /// Wraps a socket.
    pub(crate) fn new(stream: Stream, heads: Arc<Heads>, streams: Streams, serving: &ServingContext) -> Self {
        let settings = &serving.settings();
        Self {
            stream,
            heads,
            streams,
            flood: Flood::new(settings.max_control_frames),
            written: Frames::after(0),
            patience: settings.write_stall_seconds.0,
            alarm: None,
            serving: serving.clone(),
        }
    }

    /// Tells the clock what came in.
    fn note_read(&self, new: &[u8]) {
        if self.flood.is_http2() {
            self.heads.is_http2();
        } else if self.flood.is_other() && !new.is_empty() {
            self.heads.has_read(self.streams.is_answering());
        }
    }

    /// Says why the connection ends, if the peer left room for it and nothing is half written.
    fn say_calm(&mut self, context: &mut Context<'_>) {
        if self.written.is_between() {
            let _ = Pin::new(&mut self.stream).poll_write(context, &CALM);
            let _ = Pin::new(&mut self.stream).poll_flush(context);
        }
    }

    fn watched<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.alarm = None;
            return polled;
        }
        let patience = self.patience;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(patience)));
        std::task::ready!(alarm.as_mut().poll(context));
        self.serving.telemetry().instruments.give_up("write_stalled");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let new = &buffer.filled()[before..];
        let is_flood = self.flood.is_in(new);
        self.note_read(new);
        if is_flood {
            self.serving.telemetry().instruments.give_up("control_frames");
            self.say_calm(context);
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        polled
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = polled {
            self.written.follow(&bytes[..count], |_, _| ());
        }
        self.watched(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        if let Poll::Ready(Ok(mut count)) = polled {
            for slice in slices {
                let (taken, _) = slice.split_at(count.min(slice.len()));
                self.written.follow(taken, |_, _| ());
                count -= taken.len();
            }
        }
        self.watched(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes some bytes before it waits for the peer; they are waited for here.
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.watched(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
