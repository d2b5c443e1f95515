//! A stream that signals the first byte from its peer.
//!
//! An open connection does not mean that the peer is alive: the kernel accepts connections for a stopped process, and a TLS 1.3
//! server rejects our certificate only after the handshake. An HTTP/2 server begins with its SETTINGS.

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
    /// Wraps a stream; the receiver resolves on its first byte.
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
            // The receiver may be gone.
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
