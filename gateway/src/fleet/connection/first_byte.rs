//! A stream that tells when its peer has spoken for the first time.
//!
//! A connection is open long before its peer is there: the kernel of a stopped process accepts, and over TLS 1.3 a server
//! says only after the handshake that it does not like our certificate. A server of HTTP/2 begins with its settings.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// The stream.
#[derive(Debug)]
pub(crate) struct FirstByte<T> {
    inner: T,
    first: Option<oneshot::Sender<()>>,
}

impl<T> FirstByte<T> {
    /// Wraps a stream; the receiver hears of its first byte.
    pub(crate) fn new(inner: T) -> (Self, oneshot::Receiver<()>) {
        let (first, first_byte) = oneshot::channel();
        (Self { inner, first: Some(first) }, first_byte)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for FirstByte<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        if buffer.filled().len() > before
            && let Some(first) = self.first.take()
        {
            // Who does not wait any more need not know.
            let _ = first.send(());
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for FirstByte<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
